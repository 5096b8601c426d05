//! The pictures: one large, the others in a row, the own one in a corner. What somebody shares is large by itself, with all faces beside it.

use iced::{
    Alignment, Center, Element, Fill,
    widget::{button, center, column, container, row, scrollable, space, stack},
};
use proto::model::Peer;

use super::{Call, Message};
use crate::ui::{
    icon::{self, Icon, icon},
    theme::{self, spacing, text},
    widget::{avatar, video::Video},
};

impl Call {
    pub fn stage(&self, scale: f32) -> Element<'_, Message> {
        let ground = container(space()).width(Fill).height(Fill).style(theme::container::stage);
        if let Some(presenter) = self.presenter() {
            // With its corners: there may be something in them.
            let screen = self.screen(presenter, scale, true, 0.0);
            let above = container(self.presenter_marks(presenter)).padding(spacing::M);
            // Nothing covers what is to be read.
            let faces = self.peers().map(|peer| self.tile(peer, scale)).chain(self.other_screens(scale));
            let bar = scrollable::Direction::Vertical(scrollable::Scrollbar::hidden());
            let faces = scrollable(column(faces).spacing(spacing::S)).direction(bar).height(Fill);
            let side = column![faces, self.own(scale, spacing::TILE)].spacing(spacing::S).width(spacing::TILE.0);
            return row![stack![ground, screen, above].width(Fill).height(Fill), side].spacing(spacing::S).height(Fill).into();
        }
        let large = self.main_peer().map_or_else(nobody, |peer| self.large(peer, scale));
        let own = if self.feeds.len() > 1 { spacing::TILE } else { spacing::PREVIEW };
        let foot = row![self.filmstrip(scale), self.own(scale, own)].spacing(spacing::S).align_y(Alignment::End);
        let above = column![self.marks(), space().height(Fill), foot].padding(spacing::M);
        stack![ground, large, above].width(Fill).height(Fill).into()
    }

    fn large<'a>(&'a self, peer: &'a Peer, scale: f32) -> Element<'a, Message> {
        let waiting =
            if peer.video { format!("Waiting for {}\u{2019}s picture\u{2026}", peer.name) } else { "Camera off".into() };
        let instead = center(
            column![
                avatar::avatar(&peer.name, spacing::AVATAR_L),
                text::lead(peer.name.as_str()).style(text::on_stage),
                text::caption(waiting).style(text::on_stage_muted),
            ]
            .spacing(spacing::M)
            .align_x(Center),
        );
        self.picture(peer, scale, instead, spacing::RADIUS_L)
    }

    fn picture<'a>(
        &'a self,
        peer: &'a Peer,
        scale: f32,
        instead: impl Into<Element<'a, Message>>,
        radius: f32,
    ) -> Element<'a, Message> {
        match self.feeds.get(&peer.peer) {
            Some(feed) => {
                let video = Video::new(feed, scale, instead).frozen(frozen(radius));
                video.shown(peer.video).still(self.engine.is_none()).radius(radius).into()
            }
            None => instead.into(),
        }
    }

    /// What somebody shares. It may stand still as long as it likes.
    fn screen<'a>(&'a self, of: &'a Peer, scale: f32, large: bool, radius: f32) -> Element<'a, Message> {
        let waiting = if large { format!("Waiting for {}\u{2019}s screen\u{2026}", of.name) } else { String::new() };
        let sign = icon(Icon::ScreenShare, icon::LARGE).style(text::on_stage_muted);
        let instead =
            center(column![sign, text::caption(waiting).style(text::on_stage_muted)].spacing(spacing::M).align_x(Center));
        match self.screen_feed(of.peer) {
            Some(feed) => Video::new(feed, scale, instead).still(self.engine.is_none()).radius(radius).into(),
            None => instead.into(),
        }
    }

    /// Whose screen is large.
    fn presenter_marks<'a>(&'a self, presenter: &'a Peer) -> Element<'a, Message> {
        let name = text::body(format!("{}\u{2019}s screen", presenter.name)).style(text::on_stage);
        let line = row![icon(Icon::ScreenShare, icon::SMALL).style(text::on_stage), name].spacing(spacing::S).align_y(Center);
        let name = container(line).padding([spacing::XS, spacing::M]).style(theme::container::over_picture);
        row![name, space().width(Fill)].push(self.figures()).align_y(Alignment::Start).spacing(spacing::S).into()
    }

    /// Who is large, and what they have switched off.
    fn marks(&self) -> Element<'_, Message> {
        let Some(peer) = self.main_peer() else { return space().into() };
        let name = row![text::body(peer.name.as_str()).style(text::on_stage)];
        let mut line = name.spacing(spacing::S).align_y(Center);
        if self.call.locked {
            line = line.push(icon(Icon::Lock, icon::SMALL).style(text::on_stage));
        }
        if self.voices.speaking.contains(&peer.peer) {
            line = line.push(icon(Icon::AudioLines, icon::SMALL).style(text::good));
        }
        if !peer.audio {
            line = line.push(icon(Icon::MicOff, icon::SMALL).style(text::on_stage));
            line = line.push(text::caption("muted").style(text::on_stage_muted));
        }
        if !peer.video {
            line = line.push(icon(Icon::VideoOff, icon::SMALL).style(text::on_stage));
            line = line.push(text::caption("camera off").style(text::on_stage_muted));
        }
        if self.heard_by.contains(&peer.peer) {
            line = line.push(text::caption("hears you").style(text::on_stage_muted));
        }
        let name = container(line).padding([spacing::XS, spacing::M]).style(theme::container::over_picture);
        row![name, space().width(Fill)].push(self.figures()).align_y(Alignment::Start).spacing(spacing::S).into()
    }

    /// The others in the call, in a row; pressing one makes it large.
    fn filmstrip(&self, scale: f32) -> Element<'_, Message> {
        let large = self.main_peer().map(|peer| peer.peer);
        let tiles = self.peers().filter(|peer| Some(peer.peer) != large).map(|peer| self.tile(peer, scale));
        let tiles = tiles.chain(self.other_screens(scale));
        let bar = scrollable::Direction::Horizontal(scrollable::Scrollbar::hidden());
        scrollable(row(tiles).spacing(spacing::S)).direction(bar).width(Fill).into()
    }

    /// The screens that are shared and not large; pressing one makes it large.
    fn other_screens(&self, scale: f32) -> impl Iterator<Item = Element<'_, Message>> {
        self.other_presenters().map(move |peer| {
            let (width, height) = spacing::TILE;
            let name = row![icon(Icon::ScreenShare, icon::SMALL), text::caption(peer.name.as_str())].spacing(spacing::XS);
            let name = container(name).padding([0.0, spacing::S]).style(theme::container::over_picture);
            let screen = self.screen(peer, scale, false, spacing::RADIUS_M);
            let picture = container(screen).style(theme::container::stage_raised);
            let foot = container(name).padding(spacing::XS).width(Fill).height(Fill).align_y(Alignment::End);
            button(stack![picture, foot])
                .width(width)
                .height(height)
                .padding(0)
                .style(theme::button::bare)
                .on_press(Message::ScreenPressed(peer.peer))
                .into()
        })
    }

    fn tile<'a>(&'a self, peer: &'a Peer, scale: f32) -> Element<'a, Message> {
        let (width, height) = spacing::TILE;
        let instead = center(avatar::avatar(&peer.name, spacing::AVATAR_M));
        let muted = (!peer.audio).then(|| icon(Icon::MicOff, icon::SMALL).style(text::on_stage));
        let name = row![text::caption(peer.name.as_str()).style(text::on_stage)].push(muted).spacing(spacing::XS);
        let name = container(name).padding([0.0, spacing::S]).style(theme::container::over_picture);
        let picture = container(self.picture(peer, scale, instead, spacing::RADIUS_M)).style(theme::container::stage_raised);
        let foot = container(name).padding(spacing::XS).width(Fill).height(Fill).align_y(Alignment::End);
        let speaking = self.voices.speaking.contains(&peer.peer).then(speaks);
        button(stack![picture, foot].push(speaking))
            .width(width)
            .height(height)
            .padding(0)
            .style(theme::button::bare)
            .on_press(Message::PeerPressed(peer.peer))
            .into()
    }

    /// What the others see of this person, as in a mirror.
    fn own(&self, scale: f32, (width, height): (f32, f32)) -> Element<'_, Message> {
        let why = if !self.has.video {
            "No camera"
        } else if self.camera_on() {
            "Starting\u{2026}"
        } else {
            "Camera off"
        };
        let instead = center(
            column![avatar::avatar(&self.my_name, spacing::AVATAR_M), text::caption(why).style(text::on_stage_muted)]
                .spacing(spacing::S)
                .align_x(Center),
        );
        let video = Video::new(&self.preview, scale, instead)
            .mirrored()
            .covering()
            .shown(self.camera_on())
            .still(self.engine.is_none())
            .radius(spacing::RADIUS_M);
        let speaking = self.is_speaking().then(speaks);
        let video = container(video).width(width).height(height).style(theme::container::stage_raised);
        stack![video].push(speaking).width(width).height(height).into()
    }
}

/// A frame around who speaks.
fn speaks<'a>() -> Element<'a, Message> {
    container(space()).width(Fill).height(Fill).style(theme::container::speaking).into()
}

/// Over a picture that stands still, so that nobody takes it for how things are.
fn frozen<'a>(radius: f32) -> Element<'a, Message> {
    let says = row![icon(Icon::Snowflake, icon::SMALL), text::caption("Frozen").style(text::on_stage)];
    let says = container(says.spacing(spacing::XS).align_y(Center)).padding([spacing::XS, spacing::M]);
    center(says.style(theme::container::over_picture)).style(theme::container::frozen(radius)).into()
}

fn nobody<'a>() -> Element<'a, Message> {
    center(text::body("Nobody else is here any more.").style(text::on_stage_muted)).into()
}
