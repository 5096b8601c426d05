//! Where the next message is written, and what goes along with it.

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, progress_bar, row, text_input, tooltip::Position},
};

use super::{
    super::{
        Conversation, Message,
        files::{self, Pending, State},
    },
    Surroundings,
};
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
    widget::hint::hint,
};

impl Conversation {
    pub(super) fn field<'a>(&'a self, around: Surroundings<'a>) -> Element<'a, Message> {
        let says = match (around.blocked, around.mutual) {
            (true, _) => format!("You have blocked {}", self.title()),
            (_, true) => format!("Write to {}", self.title()),
            (_, false) => "Not your buddy (yet)".to_owned(),
        };
        let field = text_input(&says, &self.draft).id("draft").padding(spacing::M).size(text::BODY).style(theme::input::field);
        let send = button(icon(Icon::SendHorizontal, icon::MEDIUM)).padding(spacing::M).style(theme::button::primary);
        let something = !self.draft.trim().is_empty() || self.files.ready().next().is_some();
        let field = if around.mutual { field.on_input(Message::DraftChanged).on_submit(Message::SendPressed) } else { field };
        let attach = button(icon(Icon::Paperclip, icon::MEDIUM)).padding(spacing::M).style(theme::button::quiet);
        let attach = attach.on_press_maybe(around.mutual.then_some(Message::Files(files::Message::AttachPressed)));
        let send = send.on_press_maybe((around.mutual && something).then_some(Message::SendPressed));
        let speak = button(icon(Icon::MicVocal, icon::MEDIUM)).padding(spacing::M).style(theme::button::quiet);
        let speak = speak.on_press_maybe(around.mutual.then_some(Message::RecordPressed));
        // Who writes nothing may want to say something.
        let last: Element<'_, Message> = match something || self.editing.is_some() {
            true => send.into(),
            false => hint(container(speak).id("record"), "Record a voice message", Position::Top),
        };
        let line = row![field, container(attach).id("attach"), last].spacing(spacing::S).align_y(Center);
        let line = self.recorder().unwrap_or_else(|| line.into());
        let error = self.error.as_deref().map(|error| text::caption(error).style(text::danger));
        // The field comes first: what comes and goes after it doesn't take its focus away.
        let below = column![line].push(self.editing_line()).push(self.path()).extend(self.files.pending().iter().map(pending));
        container(below.push(error).spacing(spacing::XS)).padding([spacing::M, spacing::L]).into()
    }

    fn editing_line(&self) -> Option<Element<'_, Message>> {
        self.editing?;
        let stop = button(text::caption("Leave it as it was")).padding([spacing::XS, spacing::S]).style(theme::button::quiet);
        let line = row![text::caption("You are changing what you wrote.").width(Fill), stop.on_press(Message::EditEnded)];
        Some(line.spacing(spacing::S).align_y(Center).into())
    }

    fn path(&self) -> Option<Element<'_, Message>> {
        let path = self.files.field()?;
        let field = text_input("Path of a file, or let one go over the window", path)
            .id("attach-path")
            .on_input(|path| Message::Files(files::Message::PathChanged(path)))
            .on_submit(Message::Files(files::Message::PathEntered))
            .padding([spacing::S, spacing::M])
            .size(text::BODY)
            .style(theme::input::field);
        Some(field.into())
    }
}

fn pending(pending: &Pending) -> Element<'_, Message> {
    let drop = button(icon(Icon::X, icon::SMALL)).padding(spacing::XS).style(theme::button::quiet);
    let drop = drop.on_press(Message::Files(files::Message::DropPressed(pending.key)));
    let name = text::caption(pending.name.as_str()).style(text::normal);
    let state: Element<'_, Message> = match &pending.state {
        State::Sending(_, 0) => text::caption("on its way\u{2026}").into(),
        State::Sending(sent, all) => {
            container(progress_bar(0.0..=*all as f32, *sent as f32).girth(spacing::XS)).width(Fill).into()
        }
        State::Ready(_) => text::caption("goes along").style(text::good).into(),
        State::Failed(why) => text::caption(why.as_str()).style(text::danger).into(),
    };
    let again = matches!(pending.state, State::Failed(_)).then(|| {
        let again = button(icon(Icon::RotateCw, icon::SMALL)).padding(spacing::XS).style(theme::button::quiet);
        hint(again.on_press(Message::Files(files::Message::AgainPressed(pending.key))), "Try again", Position::Top)
    });
    let sign = if pending.is_voice() { Icon::MicVocal } else { Icon::Paperclip };
    row![icon(sign, icon::SMALL), name, state].push(again).push(drop).spacing(spacing::S).align_y(Center).into()
}
