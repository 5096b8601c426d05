//! Shared screens: what this person shows the others, and what the others show.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use iced::{
    Center, Element, Fill,
    widget::{button, column, container, row, scrollable, text::Wrapping},
};
use media::{ScreenSpec, ScreenTrouble, Slot, screen::Source};
use proto::{PeerId, api::SetMedia, model::Peer};

use super::{Action, Call, Message};
use crate::{
    engine::Engine,
    ui::{
        icon::{self, Icon, icon},
        theme::{self, spacing, text},
        widget::video::Feed,
    },
};

/// A relay that knows of shared screens has said so by then.
const SLOW: Duration = Duration::from_secs(5);

/// What can be shared, as far as it's known.
type Sources = Option<Result<Vec<Source>, ScreenTrouble>>;

#[derive(Default)]
pub(super) struct Sharing {
    /// There while the person chooses.
    choosing: Option<Sources>,
    /// What the others see of this person's screen: its name, and since when.
    shared: Option<(String, Instant)>,
    /// Why nothing is shared any more.
    trouble: Option<ScreenTrouble>,
    /// What the others share.
    feeds: HashMap<PeerId, Feed>,
    /// Whose screen is large, in place of a face.
    large: Option<PeerId>,
}

impl Call {
    /// Whether this person shares something.
    pub(super) fn shares(&self) -> bool {
        self.sharing.shared.is_some()
    }

    /// Whether something is to be shared of which the others don't know.
    pub fn shares_unknown(&self) -> bool {
        self.media().screen && !self.is_seen()
    }

    /// Whether the others know that something is shared: before, nothing is.
    fn is_seen(&self) -> bool {
        self.call.peers.iter().any(|peer| peer.peer == self.me && peer.screen)
    }

    /// Escape: nothing is chosen.
    pub(super) fn end_choosing(&mut self) {
        self.sharing.choosing = None;
    }

    /// The button: begins to choose, or ends what is shared.
    pub(super) fn share_pressed(&mut self) -> Action {
        self.sharing.trouble = None;
        if self.shares() {
            return self.share(None);
        }
        if self.sharing.choosing.take().is_some() {
            return Action::None;
        }
        self.sharing.choosing = Some(None);
        Action::ListScreens
    }

    pub(super) fn listed(&mut self, sources: Result<Vec<Source>, ScreenTrouble>) {
        if let Some(choosing) = &mut self.sharing.choosing {
            *choosing = Some(sources);
        }
    }

    /// Shows this to the others from now on, or nothing any more.
    pub(super) fn share(&mut self, source: Option<Source>) -> Action {
        self.sharing.choosing = None;
        let what = source.as_ref().map_or(ScreenSpec::None, |source| ScreenSpec::X11(Some(source.id.clone())));
        if let Some(engine) = &self.engine {
            engine.share(what);
        }
        self.sending.want(SetMedia { screen: source.is_some(), ..self.sending.wanted() });
        self.sharing.shared = source.map(|source| (source.name, self.now));
        Action::SetMedia(self.media())
    }

    /// Nothing more comes of what is shared.
    pub(super) fn share_failed(&mut self, trouble: ScreenTrouble) -> Action {
        if !self.shares() {
            return Action::None;
        }
        self.sharing.trouble = Some(trouble);
        self.share(None)
    }

    pub(super) fn share_trouble(&self) -> Option<&ScreenTrouble> {
        self.sharing.trouble.as_ref()
    }

    pub(super) fn dismiss_share_trouble(&mut self) {
        self.sharing.trouble = None;
    }

    /// Looks at the screens of those who share one now, the newest large. Whether these are other ones than before.
    pub(super) fn screens_changed(&mut self) -> bool {
        let sharers: Vec<_> = self.peers().filter(|peer| peer.screen).map(|peer| peer.peer).collect();
        let before = (self.sharing.feeds.len(), self.sharing.large);
        self.sharing.feeds.retain(|peer, _| sharers.contains(peer));
        // What was large has ended: another one takes its place.
        self.sharing.large = before.1.filter(|large| sharers.contains(large)).or_else(|| before.1.and(sharers.first().copied()));
        let gone = self.sharing.feeds.len() < before.0;
        let new: Vec<_> = sharers.into_iter().filter(|peer| !self.sharing.feeds.contains_key(peer)).collect();
        for peer in &new {
            let slot = self.engine.as_ref().map_or_else(Slot::new, |engine: &Engine| engine.screen_of(*peer));
            self.sharing.feeds.insert(*peer, Feed::new(slot));
            self.sharing.large = Some(*peer);
        }
        gone || !new.is_empty() || self.sharing.large != before.1
    }

    /// Makes a screen large, or puts it among the tiles.
    pub(super) fn enlarge_screen(&mut self, of: Option<PeerId>) {
        self.sharing.large = of;
    }

    /// Who shows what is large, if it's a screen.
    pub(super) fn presenter(&self) -> Option<&Peer> {
        let large = self.sharing.large?;
        self.peers().find(|peer| peer.peer == large)
    }

    /// Those whose screens are not large.
    pub(super) fn other_presenters(&self) -> impl Iterator<Item = &Peer> {
        self.peers().filter(|peer| self.sharing.feeds.contains_key(&peer.peer) && Some(peer.peer) != self.sharing.large)
    }

    pub(super) fn screen_feed(&self, of: PeerId) -> Option<&Feed> {
        self.sharing.feeds.get(&of)
    }

    /// The slots of all the screens, the large one first.
    pub(super) fn screen_slots(&self) -> (Option<Slot>, Vec<Slot>) {
        let large = self.sharing.large.and_then(|large| self.sharing.feeds.get(&large)).map(|feed| feed.slot.clone());
        let others = self.sharing.feeds.iter().filter(|(peer, _)| Some(**peer) != self.sharing.large);
        (large, others.map(|(_, feed)| feed.slot.clone()).collect())
    }

    /// What is shared, so that nobody forgets it, or what could be.
    pub fn sharing(&self) -> Option<Element<'_, Message>> {
        if let Some((name, since)) = &self.sharing.shared {
            let slow = self.now.saturating_duration_since(*since) >= SLOW;
            let says = match (self.is_seen(), slow) {
                (true, _) => format!("Everyone in the call sees \u{201c}{name}\u{201d}."),
                (false, false) => format!("Showing \u{201c}{name}\u{201d}\u{2026}"),
                (false, true) => "Nobody sees it yet: the relay may be too old for shared screens.".to_owned(),
            };
            let stop =
                row![icon(Icon::ScreenShareOff, icon::SMALL), text::body("Stop sharing")].spacing(spacing::S).align_y(Center);
            let stop =
                button(stop).padding([spacing::XS, spacing::M]).style(theme::button::danger).on_press(Message::SharePressed);
            let sign = icon(Icon::ScreenShare, icon::MEDIUM).style(text::danger);
            // Titles may be long.
            let says = container(text::strong(says).wrapping(Wrapping::None)).width(Fill).clip(true);
            let line = row![sign, says, stop].spacing(spacing::S).align_y(Center);
            return Some(container(line).padding([spacing::S, spacing::M]).width(Fill).style(theme::container::danger).into());
        }
        let choice: Element<'_, Message> = match self.sharing.choosing.as_ref()? {
            None => text::body("Looking what there is\u{2026}").into(),
            Some(Err(trouble)) => text::body(trouble.to_string()).into(),
            Some(Ok(sources)) => {
                let list = column(sources.iter().map(offered));
                let list = container(scrollable(list.padding(spacing::RUNG)).width(Fill)).max_height(spacing::GROUPS);
                column![text::body("What shall everyone in the call see?"), list].spacing(spacing::S).into()
            }
        };
        Some(container(choice).padding([spacing::S, spacing::M]).width(Fill).style(theme::container::sunken).into())
    }

    /// Pictures for a call without a relay.
    pub fn pretend_screen(&mut self, picture: &codecs::Frame) {
        for feed in self.sharing.feeds.values() {
            feed.slot.put(picture.clone());
        }
    }
}

fn offered(source: &Source) -> Element<'_, Message> {
    let (sign, name) = match source.monitor {
        true => (Icon::Monitor, format!("The whole screen {} ({} \u{d7} {})", source.name, source.size.0, source.size.1)),
        false => (Icon::AppWindow, source.name.clone()),
    };
    let line = row![icon(sign, icon::SMALL), text::body(name).wrapping(Wrapping::None)].spacing(spacing::S).align_y(Center);
    button(container(line).clip(true))
        .width(Fill)
        .padding([spacing::XS, spacing::S])
        .style(theme::button::row(false))
        .on_press(Message::ShareChosen(source.clone()))
        .into()
}
