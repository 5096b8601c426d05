//! The line of figures for those who want to know how the call fares.

use iced::{
    Element,
    widget::{container, row},
};

use super::{Call, Message};
use crate::{
    engine::Figures,
    ui::theme::{self, spacing, text},
};

impl Call {
    pub(super) fn figures_line(&self) -> Option<Element<'_, Message>> {
        if !self.figures_open {
            return None;
        }
        let says = self.figures.as_ref().map_or_else(|| "Measuring\u{2026}".to_owned(), in_words);
        let line = row![text::caption(says).style(text::on_stage)];
        Some(container(line).padding([spacing::XS, spacing::M]).style(theme::container::over_picture).into())
    }
}

fn in_words(figures: &Figures) -> String {
    let mut parts = Vec::new();
    if let Some(delay) = figures.delay_ms {
        parts.push(format!("delay {delay:.0} ms"));
    }
    if let Some(rtt) = figures.rtt_ms {
        parts.push(format!("round trip {rtt:.0} ms"));
    }
    parts.push(format!("{:.0} frames/s", figures.frames_per_second));
    parts.push(format!("up {:.0}, down {:.0} kbit/s", figures.up_kbps, figures.down_kbps));
    parts.join(" \u{b7} ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_shown() {
        let mut figures = Figures { up_kbps: 812.4, down_kbps: 990.0, frames_per_second: 29.97, ..Figures::default() };
        assert_eq!(in_words(&figures), "30 frames/s \u{b7} up 812, down 990 kbit/s");
        figures.delay_ms = Some(7.2);
        assert!(in_words(&figures).starts_with("delay 7 ms \u{b7} 30"));
    }
}
