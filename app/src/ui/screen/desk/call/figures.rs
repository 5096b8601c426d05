//! The figures for those who want to know how the call fares: what is sent beside what comes of the one who is large.

use iced::{
    Element,
    alignment::Horizontal::Right,
    widget::{column, container, row},
};

use super::{Call, Message};
use crate::{
    engine::{Coming, Figures, Pictures},
    ui::theme::{self, spacing, text},
};

/// What isn't known yet, or can't be.
const UNKNOWN: &str = "\u{2013}";

/// Lines of a table stand closer than those of a text.
const DENSE: f32 = 1.2;

/// What a figure is of, the one of what is sent, and the one of what is received.
type Line = (&'static str, String, String);

impl Call {
    pub(super) fn figures(&self) -> Option<Element<'_, Message>> {
        if !self.figures_open {
            return None;
        }
        let figures = self.figures.clone().unwrap_or_default();
        let coming = self.main_peer().and_then(|peer| figures.received.get(&peer.peer)).copied().unwrap_or_default();
        let head = row![label(""), figure("Sent").style(text::on_stage_muted), figure("Received").style(text::on_stage_muted)];
        let lines = in_words(&figures, &coming).into_iter().map(|(of, sent, received)| {
            row![label(of), figure(sent).style(text::on_stage), figure(received).style(text::on_stage)].into()
        });
        let table = column([head.into()].into_iter().chain(lines));
        Some(container(table).padding([spacing::XS, spacing::M]).style(theme::container::figures).into())
    }
}

fn label<'a>(of: &'a str) -> iced::widget::Text<'a> {
    text::caption(of).line_height(DENSE).style(text::on_stage_muted).width(spacing::FIGURE_OF)
}

fn figure<'a>(figure: impl iced::widget::text::IntoFragment<'a>) -> iced::widget::Text<'a> {
    text::caption(figure).line_height(DENSE).width(spacing::FIGURE).align_x(Right)
}

/// Always the same lines, so that nothing moves when something becomes known.
fn in_words(figures: &Figures, coming: &Coming) -> [Line; 13] {
    let (sent, received) = (&figures.sent, &coming.pictures);
    let both = |of, figure: fn(&Pictures) -> String| (of, figure(sent), figure(received));
    let one = |of, figure| (of, String::new(), figure);
    [
        both("Picture", picture),
        both("\u{2003}a second", |pictures| format!("{:.0}", pictures.per_second)),
        ("Bitrate", format!("{:.0} kbit/s", figures.up_kbps), format!("{:.0} kbit/s", figures.down_kbps)),
        both("Delay", delay),
        both("\u{2003}coding", |pictures| millis(pictures.codec_ms)),
        both("\u{2003}way", |pictures| millis(pictures.way_ms)),
        both("\u{2003}queues", |pictures| millis(pictures.queue_ms)),
        one("\u{2003}held for sound", millis(received.held_ms)),
        ("Round trip", millis(figures.round_trip_ms), String::new()),
        one("Sound buffered", millis(Some(coming.sound_ms))),
        one("Sound after picture", coming.av_offset_ms.map_or_else(|| UNKNOWN.to_owned(), |offset| format!("{offset:+.0} ms"))),
        one("Sound made up", format!("{:.1} %", coming.made_up_percent)),
        one("Freezes", coming.freezes.to_string()),
    ]
}

fn picture(pictures: &Pictures) -> String {
    pictures.size.map_or_else(|| UNKNOWN.to_owned(), |size| size.to_string())
}

/// What isn't measured but put together is said to be about that.
fn delay(pictures: &Pictures) -> String {
    let about = if pictures.measured_ms.is_some() { "" } else { "about " };
    pictures.delay_ms().map_or_else(|| UNKNOWN.to_owned(), |delay| format!("{about}{delay:.0} ms"))
}

fn millis(millis: Option<f32>) -> String {
    millis.map_or_else(|| UNKNOWN.to_owned(), |millis| format!("{millis:.0} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(lines: &'a [Line], of: &str) -> (&'a str, &'a str) {
        let line = lines.iter().find(|line| line.0.trim() == of).unwrap();
        (&line.1, &line.2)
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let lines = in_words(&Figures::default(), &Coming::default());
        for of in ["Picture", "Delay", "way"] {
            assert_eq!(line(&lines, of), (UNKNOWN, UNKNOWN), "{of}");
        }
        assert_eq!(line(&lines, "Round trip").0, UNKNOWN);
    }

    #[test]
    fn what_is_only_put_together_is_said_to_be_so() {
        let (mut figures, mut coming) = (Figures::default(), Coming::default());
        figures.sent = Pictures { way_ms: Some(24.2), codec_ms: Some(1.1), ..Pictures::default() };
        coming.pictures = Pictures { measured_ms: Some(70.4), ..figures.sent };
        coming.av_offset_ms = Some(-12.0);
        let lines = in_words(&figures, &coming);
        assert_eq!(line(&lines, "Delay"), ("about 25 ms", "70 ms"));
        assert_eq!(line(&lines, "Sound after picture").1, "-12 ms");
    }
}
