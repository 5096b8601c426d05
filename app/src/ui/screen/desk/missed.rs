//! The calls that were missed, until they were seen.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row, scrollable, tooltip::Position},
};
use proto::{Name, model::MissedCall};

use super::buddy_list::one_line;
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
    when::Zone,
    widget::{avatar, hint::hint},
};

/// So many are shown at once; the others are scrolled to.
const ROWS: usize = 3;

#[derive(Debug, Default)]
pub struct Missed(Vec<MissedCall>);

#[derive(Debug, Clone)]
pub enum Message {
    AgainPressed(Name),
    SeenPressed(Option<Name>),
}

pub enum Action {
    Ring(Name),
    /// Those of one person or of all, up to that time.
    Seen(Option<Name>, u64),
}

impl Missed {
    /// All of them, the newest first.
    pub fn know(&mut self, calls: Vec<MissedCall>) {
        self.0 = calls;
    }

    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::AgainPressed(name) => Action::Ring(name),
            Message::SeenPressed(from) => {
                let up_to_ms = self.up_to(from.as_ref());
                self.0.retain(|call| from.as_ref().is_some_and(|from| !call.from.is(from)));
                Action::Seen(from, up_to_ms)
            }
        }
    }

    /// Whether calls of theirs were missed, and until when.
    pub fn of(&self, name: &Name) -> Option<u64> {
        self.0.iter().find(|call| call.from.is(name)).map(|call| call.at_ms)
    }

    fn up_to(&self, from: Option<&Name>) -> u64 {
        let fits = |call: &&MissedCall| from.is_none_or(|from| call.from.is(from));
        self.0.iter().filter(fits).map(|call| call.at_ms).max().unwrap_or_default()
    }

    /// `None` while there are none.
    pub fn view(&self, zone: Zone, now_ms: u64) -> Option<Element<'_, Message>> {
        if self.0.is_empty() {
            return None;
        }
        let seen = button(text::caption("Seen").style(text::primary)).padding([0.0, spacing::S]).style(theme::button::quiet);
        let head = row![
            icon(Icon::PhoneMissed, icon::SMALL).style(text::danger),
            text::strong("Missed calls").width(Fill),
            seen.on_press(Message::SeenPressed(None)),
        ];
        let rows = column(self.0.iter().map(|call| one(call, zone, now_ms))).spacing(spacing::XS);
        let rows: Element<'_, Message> = if self.0.len() > ROWS {
            let height = (spacing::AVATAR_S + spacing::XS) * (ROWS as f32 + 0.5);
            scrollable(rows).height(height).style(theme::input::scroll).into()
        } else {
            rows.into()
        };
        let list = column![head.spacing(spacing::S).align_y(Center), rows].spacing(spacing::S);
        let list = container(list).padding(spacing::S).width(Fill).style(theme::container::sunken);
        Some(container(list).padding([spacing::S, spacing::M]).into())
    }
}

fn one(call: &MissedCall, zone: Zone, now_ms: u64) -> Element<'_, Message> {
    let when = format!("{}, {}", zone.day_name(call.at_ms, now_ms), zone.clock(call.at_ms));
    let when = if call.count > 1 { format!("{when} \u{b7} {} times", call.count) } else { when };
    let again = button(icon(Icon::Phone, icon::SMALL)).padding(spacing::S).style(theme::button::good);
    let seen = button(icon(Icon::X, icon::SMALL)).padding(spacing::S).style(theme::button::quiet);
    row![
        avatar::avatar(&call.from, spacing::AVATAR_S),
        column![one_line(text::body(call.from.as_str())), one_line(text::caption(when))].width(Fill),
        hint(again.on_press(Message::AgainPressed(call.from.clone())), format!("Call {} again", call.from), Position::Bottom),
        hint(seen.on_press(Message::SeenPressed(Some(call.from.clone()))), "Seen", Position::Bottom),
    ]
    .spacing(spacing::S)
    .align_y(Center)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(from: &str, at_ms: u64) -> MissedCall {
        MissedCall { from: from.parse().unwrap(), at_ms, count: 1 }
    }

    #[test]
    fn what_was_seen_is_what_was_shown() {
        let mut missed = Missed::default();
        missed.know(vec![call("Eva", 9), call("Ben", 5)]);
        let ben = "ben".parse::<Name>().unwrap();
        assert_eq!(missed.of(&ben), Some(5));
        let Action::Seen(Some(_), 5) = missed.update(Message::SeenPressed(Some(ben.clone()))) else { panic!("not told") };
        assert_eq!(missed.of(&ben), None);
        let Action::Seen(None, 9) = missed.update(Message::SeenPressed(None)) else { panic!("not told") };
        assert!(missed.view(Zone::Utc, 0).is_none());
    }
}
