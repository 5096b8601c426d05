//! One message on the screen.

use iced::{
    Alignment, Center, Element, Fill, Shrink,
    widget::{button, column, container, image, mouse_area, progress_bar, row, span, text::Rich, text::Wrapping},
};
use media::voice::Clip;
use proto::{Chat, chat::Attachment};

use super::{
    super::{
        Conversation, Message,
        entry::{Delivery, Entry},
        files::{self, Preview},
        marks::Reached,
    },
    Surroundings,
};
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
    when::{Zone, lasted},
};

impl Conversation {
    pub(super) fn bubble<'a>(&'a self, entry: &'a Entry, around: Surroundings<'a>, widest: f32) -> Element<'a, Message> {
        let style = if entry.mine { theme::container::bubble_own } else { theme::container::bubble_other };
        let side = if entry.mine { Alignment::End } else { Alignment::Start };
        let said = container(self.said(entry, around, widest)).padding([spacing::S, spacing::M]).max_width(widest).style(style);
        let said: Element<'_, Message> = match entry.id {
            // What is done to an own message is chosen at it.
            Some(id) if entry.mine && !entry.deleted => mouse_area(said).on_press(Message::Chosen(id)).into(),
            _ => said.into(),
        };
        // The mark stands on the inner side; there is room for it beside the widest bubble.
        let mark = self.mark_of(entry, around.zone);
        let line = if entry.mine { row![mark, said] } else { row![said, mark] };
        let line = container(line.spacing(spacing::S).align_y(Alignment::End)).width(Fill).align_x(side);
        let below = match (&entry.delivery, entry.id) {
            (Delivery::Failed(why), _) => failed(entry, why),
            (_, Some(id)) if self.chosen == Some(id) => choices(id),
            _ => return line.into(),
        };
        column![line, container(below).width(Fill).align_x(side)].spacing(spacing::XS).into()
    }

    fn said<'a>(&'a self, entry: &'a Entry, around: Surroundings<'a>, widest: f32) -> Element<'a, Message> {
        if entry.deleted {
            return text::caption("Deleted").style(text::in_bubble(entry.mine)).into();
        }
        let mut lines = column![].spacing(spacing::S);
        if !entry.text.is_empty() {
            lines = lines.push(words(entry));
        }
        for attachment in &entry.attachments {
            lines = lines.push(match self.files.preview(&attachment.id) {
                Some(Preview::Voice(clip)) => voice(attachment, clip, entry.mine, around),
                _ => self.attachment(attachment, entry.mine, widest),
            });
        }
        lines.into()
    }

    fn attachment<'a>(&'a self, attachment: &'a Attachment, own: bool, widest: f32) -> Element<'a, Message> {
        let sort = match attachment.kind.split('/').next() {
            Some("image") => Icon::Image,
            Some("audio") => Icon::FileAudio,
            _ => Icon::File,
        };
        let name = text::body(attachment.name.as_str()).wrapping(Wrapping::WordOrGlyph);
        let gone = attachment.sha256.is_none();
        let size = if gone { "no longer there".to_owned() } else { size(attachment.size) };
        let label = row![icon(sort, icon::MEDIUM), column![name, text::caption(size).style(text::in_bubble(own))]]
            .spacing(spacing::S)
            .align_y(Center);
        let save = button(label).padding(spacing::XS).style(theme::button::in_bubble(own));
        let save = save.on_press_maybe((!gone).then(|| Message::Files(files::Message::SavePressed(attachment.clone()))));
        let bar = self.files.saved(&attachment.id).map(|bytes| {
            let all = attachment.size.max(1) as f32;
            progress_bar(0.0..=all, bytes as f32).girth(spacing::XS).style(theme::bar::in_bubble(own))
        });
        let picture = match self.files.preview(&attachment.id) {
            Some(Preview::Picture(picture)) => Some(picture),
            _ => None,
        };
        let picture = picture.map(|picture| {
            let scale = (widest - 2.0 * spacing::M).min(picture.width as f32) / picture.width as f32;
            let scale = scale.min(spacing::PICTURE / picture.height as f32).min(1.0);
            image(picture.handle.clone()).width(picture.width as f32 * scale).height(picture.height as f32 * scale)
        });
        column![].push(picture).push(save).push(bar).spacing(spacing::XS).into()
    }

    fn mark_of<'a>(&'a self, entry: &'a Entry, zone: Zone) -> Element<'a, Message> {
        match &entry.delivery {
            Delivery::Sending => text::caption("sending\u{2026}").style(text::faint).into(),
            Delivery::Failed(_) => icon(Icon::CircleAlert, icon::SMALL).style(text::danger).into(),
            Delivery::Sent => {
                let edited = (entry.edited && !entry.deleted).then(|| text::caption("changed").style(text::faint));
                let clock = text::caption(zone.clock(entry.at_ms)).style(text::faint);
                row![].push(edited).push(clock).push(self.ticks(entry)).spacing(spacing::XS).align_y(Center).into()
            }
        }
    }

    /// How far an own message has come.
    fn ticks<'a>(&'a self, entry: &'a Entry) -> Option<Element<'a, Message>> {
        let id = entry.id.filter(|_| entry.mine && !entry.deleted)?;
        let others = match &self.chat {
            Chat::With(_) => 1,
            Chat::Group(_) => self.group.as_ref().map_or(0, |group| group.members.len().saturating_sub(1)),
        };
        Some(match self.progress.reached(id, others) {
            Reached::Nobody => icon(Icon::Check, icon::SMALL).style(text::faint).into(),
            Reached::Delivered => icon(Icon::CheckCheck, icon::SMALL).style(text::faint).into(),
            Reached::Read(read, all) if read >= all => icon(Icon::CheckCheck, icon::SMALL).style(text::primary).into(),
            Reached::Read(read, all) => text::caption(format!("read by {read} of {all}")).style(text::primary).into(),
        })
    }
}

/// What someone said, and how much of it was heard.
fn voice<'a>(attachment: &'a Attachment, clip: &Clip, own: bool, around: Surroundings<'a>) -> Element<'a, Message> {
    let heard = around.playing.filter(|(id, _)| **id == attachment.id).map(|(_, heard)| heard);
    let sign = if heard.is_some() { Icon::Square } else { Icon::Play };
    let play = button(icon(sign, icon::MEDIUM)).padding(spacing::S).style(theme::button::in_bubble(own));
    let play = play.on_press(Message::Files(files::Message::PlayPressed(attachment.id.clone())));
    let (position, length) = (heard.unwrap_or_default(), clip.length());
    let bar = progress_bar(0.0..=length.as_secs_f32().max(0.1), position.as_secs_f32());
    let bar = bar.girth(spacing::XS).style(theme::bar::in_bubble(own));
    let says = match heard {
        Some(heard) => format!("{} of {}", lasted(heard), lasted(length)),
        None => format!("Voice message, {}", lasted(length)),
    };
    let says = text::caption(says).style(text::in_bubble(own));
    let save = button(icon(Icon::Download, icon::SMALL)).padding(spacing::XS).style(theme::button::in_bubble(own));
    let save = save.on_press(Message::Files(files::Message::SavePressed(attachment.clone())));
    row![play, column![bar, says].spacing(spacing::XS).width(spacing::VOICE), save].spacing(spacing::S).align_y(Center).into()
}

/// What it says, with its emphasis and links if it has any.
fn words(entry: &Entry) -> Element<'_, Message> {
    if entry.pieces.is_empty() {
        return text::body(&entry.text).wrapping(Wrapping::WordOrGlyph).into();
    }
    let spans: Vec<_> = entry
        .pieces
        .iter()
        .map(|piece| {
            let font = if piece.bold { text::STRONG } else { text::REGULAR };
            // There is no leaning face among the fonts: what leans is underlined, as in a letter written by hand.
            let underline = piece.italic || piece.link.is_some();
            span(piece.text.as_str()).font(font).underline(underline).link_maybe(piece.link.clone())
        })
        .collect();
    Rich::with_spans(spans).size(text::BODY).wrapping(Wrapping::WordOrGlyph).on_link_click(Message::LinkPressed).into()
}

fn choices<'a>(id: u64) -> Element<'a, Message> {
    let choice = |which, says, message| {
        let line = row![icon(which, icon::SMALL), text::caption(says)].spacing(spacing::XS).align_y(Center);
        button(line).padding([spacing::XS, spacing::S]).style(theme::button::quiet).on_press(message)
    };
    row![choice(Icon::Pencil, "Change", Message::EditPressed(id)), choice(Icon::Trash2, "Delete", Message::DeletePressed(id)),]
        .spacing(spacing::XS)
        .into()
}

fn failed<'a>(entry: &'a Entry, why: &'a str) -> Element<'a, Message> {
    let retry = row![icon(Icon::RotateCw, icon::SMALL), text::caption("Send again").style(text::danger)];
    let retry = button(retry.spacing(spacing::XS).align_y(Center))
        .padding([spacing::XS, spacing::S])
        .style(theme::button::quiet)
        .on_press(Message::RetryPressed(entry.client_id.clone()));
    let dismiss = button(text::caption("Dismiss"))
        .padding([spacing::XS, spacing::S])
        .style(theme::button::quiet)
        .on_press(Message::DismissPressed(entry.client_id.clone()));
    let told = row![text::caption(format!("Not sent. {why}")).style(text::danger).width(Shrink), retry, dismiss];
    // Beside a call there is no room for all of it in one line.
    told.spacing(spacing::S).align_y(Center).wrap().into()
}

/// A size as people say it.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_told_as_people_say_them() {
        for (bytes, said) in [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1 kB"), (12_345, "13 kB"), (2_540_000, "2.5 MB")] {
            assert_eq!(super::size(bytes), said);
        }
    }
}
