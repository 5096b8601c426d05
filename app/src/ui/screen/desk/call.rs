//! A call: who is in it, what is shown of them, and how it fares.

mod controls;
mod figures;
mod invite;
mod people;
mod sharing;
mod sound;
mod stage;

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use futures::channel::mpsc::UnboundedReceiver;
use iced::{Task, task};
use media::{ScreenTrouble, Slot, Trouble, devices::InUse, screen::Source};
use proto::{
    CallId, Name, PeerId,
    api::{Joined, SetMedia},
    model::{self, Peer},
};

use self::sharing::Sharing;
use crate::{
    engine::{Device, Engine, Figures, LaneHealth, Setup, Update, Voices},
    sending::Sending,
    ui::{notice::Notice, pacer, settings::Equipment, when, widget::video::Feed},
};

pub struct Call {
    call: model::Call,
    me: PeerId,
    my_name: Name,
    /// None where there is no relay.
    engine: Option<Engine>,
    feeds: HashMap<PeerId, Feed>,
    preview: Feed,
    /// Whose picture is large.
    main: Option<PeerId>,
    /// What there are devices for.
    has: SetMedia,
    sending: Sending,
    sharing: Sharing,
    equipment: Equipment,
    /// The key for talking is held.
    held: bool,
    /// One device of each kind at most.
    in_use: Vec<InUse>,
    voices: Voices,
    chat_open: bool,
    figures_open: bool,
    invite_open: bool,
    /// The link this person has given out.
    link: Option<String>,
    /// What the person is to be told of what became of them in the call.
    notice: Option<String>,
    /// The last one besides this person was shown out by them.
    sent_away: bool,
    health: LaneHealth,
    troubles: BTreeMap<u8, (Device, Trouble)>,
    /// Whoever runs the network can watch, and the person hasn't waved it away.
    in_the_clear: bool,
    figures: Option<Figures>,
    /// Whose machines play this person's sound just now.
    heard_by: Vec<PeerId>,
    started: Instant,
    now: Instant,
    /// Ends the watch over the slots when the call goes.
    redraws: Option<task::Handle>,
    /// Ends the engine's reports likewise.
    _updates: Option<task::Handle>,
}

#[derive(Debug, Clone)]
pub enum Message {
    MutePressed,
    CameraPressed,
    SharePressed,
    ShareListed(Result<Vec<Source>, ScreenTrouble>),
    ShareChosen(Source),
    ShareTroubleDismissed,
    HangUpPressed,
    ChatPressed,
    FiguresPressed,
    InvitePressed,
    InviteeChosen(Name),
    LinkPressed,
    LinkRevoked,
    Linked(Result<String, Notice>),
    MutePeerPressed(PeerId),
    RemovePeerPressed(PeerId),
    LockPressed,
    PeerPressed(PeerId),
    /// Somebody's shared screen.
    ScreenPressed(PeerId),
    TroubleDismissed(Device),
    InTheClearDismissed,
    EquipmentPressed,
    Engine(Update),
}

pub enum Action {
    None,
    /// Someone else is large now, and the chat with them.
    Turn(Task<Message>),
    SetMedia(SetMedia),
    /// Another camera, microphone or speaker may be wanted.
    OpenPanel,
    /// It's to be found out what could be shared.
    ListScreens,
    /// Something that's good to know.
    News(String),
    /// The chat was opened, or is with another person now.
    OpenChat,
    /// The figures were opened or put away.
    ShowFigures(bool),
    /// Someone else is asked to join.
    Invite(Name),
    /// A link into the call is wanted.
    Link,
    RevokeLink,
    /// The link goes to the clipboard.
    Copy(String),
    Mute(PeerId),
    Remove(PeerId),
    Lock(bool),
    Tell(String),
    HangUp,
}

impl Call {
    pub fn new(
        joined: Joined,
        my_name: &Name,
        setup: &Setup,
        engine: Option<(Engine, UnboundedReceiver<Update>)>,
        now: Instant,
    ) -> (Self, Task<Message>) {
        let (engine, updates) = engine.unzip();
        let (listen, updates) = updates.map(|updates| Task::run(updates, Message::Engine).abortable()).unzip();
        let preview = Feed::new(engine.as_ref().map_or_else(Slot::new, Engine::preview));
        let mut call = Self {
            call: joined.call,
            me: joined.me,
            my_name: my_name.clone(),
            engine,
            feeds: HashMap::new(),
            preview,
            main: None,
            has: setup.sends(),
            sending: Sending::new(setup.sends()),
            sharing: Sharing::default(),
            equipment: Equipment::default(),
            held: false,
            in_use: Vec::new(),
            voices: Voices::default(),
            chat_open: true,
            figures_open: false,
            invite_open: false,
            link: None,
            notice: None,
            sent_away: false,
            health: LaneHealth::Live,
            troubles: BTreeMap::new(),
            in_the_clear: false,
            figures: None,
            heard_by: Vec::new(),
            started: now,
            now,
            redraws: None,
            _updates: updates.map(task::Handle::abort_on_drop),
        };
        let redraws = call.people_changed();
        (call, Task::batch([listen.unwrap_or_else(Task::none), redraws]))
    }

    /// Says that there is no encryption on the way.
    pub fn warn_in_the_clear(&mut self) {
        self.in_the_clear = true;
    }

    /// Opens the figures, or puts them away.
    pub fn set_figures(&mut self, open: bool) {
        self.figures_open = open;
    }

    pub fn id(&self) -> &CallId {
        &self.call.id
    }

    /// What this person sends.
    pub fn media(&self) -> SetMedia {
        self.sending.promise()
    }

    fn muted(&self) -> bool {
        !self.sending.wanted().audio
    }

    fn camera_on(&self) -> bool {
        self.sending.wanted().video
    }

    /// Everyone else, for a sentence.
    pub fn others(&self) -> String {
        let names: Vec<_> = self.peers().map(|peer| peer.name.as_str()).collect();
        match names.as_slice() {
            [] => "The other".to_owned(),
            [one] => (*one).to_owned(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }

    pub fn lasted(&self) -> String {
        when::lasted(self.now.saturating_duration_since(self.started))
    }

    /// With whom the chat beside the pictures is, while it is open.
    pub fn chats_with(&self) -> Option<&Name> {
        self.partner().filter(|_| self.chat_open)
    }

    /// Whose picture is large.
    pub fn partner(&self) -> Option<&Name> {
        self.main_peer().map(|peer| &peer.name)
    }

    /// Escape: puts away what was opened to choose from.
    pub fn dismiss(&mut self) {
        self.invite_open = false;
        self.end_choosing();
    }

    pub fn tick(&mut self, now: Instant) {
        self.now = now;
    }

    /// Replaces who is in the call. Follow it with [`Call::people_changed`].
    pub fn set_people(&mut self, call: model::Call) {
        if let Some(engine) = &self.engine {
            engine.call_changed(&self.call, &call);
        }
        let was_muted = self.is_muted_by_owner();
        self.call = call;
        if self.is_muted_by_owner() && !was_muted {
            self.obey();
        }
    }

    /// Whether the call ends because this person has removed the last one.
    pub fn sent_away(&self) -> bool {
        self.sent_away
    }

    /// What the person is to be told, once.
    pub fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// The owner has muted this person: what the buttons say is what is sent.
    fn obey(&mut self) {
        let wanted = self.sending.wanted();
        if !wanted.audio {
            return;
        }
        self.sending.want(SetMedia { audio: false, ..wanted });
        self.mute_or_not();
        let owner = self.owner().map_or_else(|| "The owner".to_owned(), |owner| owner.name.to_string());
        self.notice = Some(format!("{owner} has muted you. Unmute when you want to be heard."));
    }

    fn is_muted_by_owner(&self) -> bool {
        self.call.peers.iter().any(|peer| peer.peer == self.me && peer.muted)
    }

    fn owner(&self) -> Option<&Peer> {
        self.call.peers.iter().find(|peer| Some(peer.peer) == self.call.owner)
    }

    /// Whether this person may mute, remove and lock.
    fn is_owner(&self) -> bool {
        self.call.owner == Some(self.me)
    }

    /// Looks at the pictures of those who are in the call now.
    pub fn people_changed(&mut self) -> Task<Message> {
        let peers: Vec<_> = self.peers().map(|peer| peer.peer).collect();
        let same = peers.len() == self.feeds.len() && peers.iter().all(|peer| self.feeds.contains_key(peer));
        self.feeds.retain(|peer, _| peers.contains(peer));
        for peer in &peers {
            let engine = &self.engine;
            let slot = || engine.as_ref().map_or_else(Slot::new, |engine| engine.picture(*peer));
            self.feeds.entry(*peer).or_insert_with(|| Feed::new(slot()));
        }
        let lost = self.main.is_none_or(|main| !peers.contains(&main));
        if lost {
            self.main = peers.first().copied();
        }
        let same_screens = !self.screens_changed();
        if same && !lost && same_screens && self.redraws.is_some() {
            return Task::none();
        }
        self.watch()
    }

    /// Has the window redrawn for each new picture of the large one, the others along with it.
    fn watch(&mut self) -> Task<Message> {
        self.redraws = None;
        if self.engine.is_none() {
            return Task::none();
        }
        let others = self.feeds.iter().filter(|(peer, _)| Some(**peer) != self.main).map(|(_, feed)| feed.slot.clone());
        let face = self.main.and_then(|main| self.feeds.get(&main)).map_or_else(Slot::new, |feed| feed.slot.clone());
        let (screen, screens) = self.screen_slots();
        // Beside a screen the face is a tile like others.
        let (first, face) = screen.map_or_else(|| (face.clone(), None), |screen| (screen, Some(face.clone())));
        let others: Vec<_> = others.chain([self.preview.slot.clone()]).chain(face).chain(screens).collect();
        let (task, handle) = pacer::redraw(first, others);
        self.redraws = Some(handle);
        task
    }

    pub fn update(&mut self, message: Message, now: Instant) -> Action {
        match message {
            Message::MutePressed if self.has.audio => {
                let wanted = self.sending.wanted();
                self.sending.want(SetMedia { audio: !wanted.audio, ..wanted });
                self.mute_or_not();
                Action::SetMedia(self.media())
            }
            Message::CameraPressed if self.has.video => {
                let wanted = self.sending.wanted();
                self.sending.want(SetMedia { video: !wanted.video, ..wanted });
                if let Some(engine) = &self.engine {
                    engine.set_camera_on(self.camera_on());
                }
                Action::SetMedia(self.media())
            }
            Message::MutePressed | Message::CameraPressed => Action::None,
            Message::SharePressed => self.share_pressed(),
            Message::ShareListed(sources) => {
                self.listed(sources);
                Action::None
            }
            Message::ShareChosen(source) => self.share(Some(source)),
            Message::ShareTroubleDismissed => {
                self.dismiss_share_trouble();
                Action::None
            }
            Message::HangUpPressed => Action::HangUp,
            Message::ChatPressed => {
                self.chat_open = !self.chat_open;
                if self.chat_open { Action::OpenChat } else { Action::None }
            }
            Message::FiguresPressed => {
                self.figures_open = !self.figures_open;
                Action::ShowFigures(self.figures_open)
            }
            Message::InvitePressed => {
                self.invite_open = !self.invite_open;
                Action::None
            }
            Message::InviteeChosen(name) => {
                self.invite_open = false;
                Action::Invite(name)
            }
            Message::LinkPressed => match &self.link {
                // Another one would put an end to this one, which somebody may have been given.
                Some(link) => Action::Copy(link.clone()),
                None => Action::Link,
            },
            Message::LinkRevoked => {
                self.link = None;
                Action::RevokeLink
            }
            Message::Linked(Ok(link)) => {
                self.link = Some(link.clone());
                Action::Copy(link)
            }
            Message::Linked(Err(notice)) => Action::Tell(notice.text),
            Message::MutePeerPressed(peer) => Action::Mute(peer),
            Message::RemovePeerPressed(peer) => {
                self.sent_away = self.peers().count() == 1;
                Action::Remove(peer)
            }
            Message::LockPressed => Action::Lock(!self.call.locked),
            Message::PeerPressed(peer) => {
                self.main = Some(peer);
                self.enlarge_screen(None);
                Action::Turn(self.watch())
            }
            Message::ScreenPressed(peer) => {
                self.enlarge_screen(Some(peer));
                Action::Turn(self.watch())
            }
            Message::TroubleDismissed(device) => {
                self.troubles.remove(&order(device));
                Action::None
            }
            Message::InTheClearDismissed => {
                self.in_the_clear = false;
                Action::None
            }
            Message::EquipmentPressed => Action::OpenPanel,
            Message::Engine(Update::InUse(device)) => self.uses(device).map_or(Action::None, Action::News),
            Message::Engine(Update::Screen(Err(trouble))) => self.share_failed(trouble),
            Message::Engine(update) => {
                self.now = now.max(self.now);
                let promise = self.sending.hear(&update);
                self.hear(update);
                promise.map_or(Action::None, Action::SetMedia)
            }
        }
    }

    fn hear(&mut self, update: Update) {
        match update {
            Update::Trouble { device, trouble: Some(trouble) } => {
                self.troubles.insert(order(device), (device, trouble));
            }
            Update::Trouble { device, trouble: None } => {
                self.troubles.remove(&order(device));
            }
            Update::Lanes(health) => self.health = health,
            Update::Figures(figures) => self.figures = Some(figures),
            Update::HeardBy(peers) => self.heard_by = peers,
            Update::Voices(voices) => self.voices = voices,
            Update::PictureStarted(_)
            | Update::ScreenStarted(_)
            | Update::Screen(_)
            | Update::NotRecorded { .. }
            | Update::InUse(_) => {}
        }
    }

    fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.call.peers.iter().filter(|peer| peer.peer != self.me)
    }

    fn main_peer(&self) -> Option<&Peer> {
        self.peers().find(|peer| Some(peer.peer) == self.main).or_else(|| self.peers().next())
    }

    /// How long the way to the relay has been broken.
    fn away(&self) -> Option<(Duration, &str)> {
        match &self.health {
            LaneHealth::Reconnecting { since, reason } => Some((self.now.saturating_duration_since(*since), reason)),
            _ => None,
        }
    }

    /// Pictures for a call without a relay.
    pub fn pretend(&mut self, own: &codecs::Frame, others: &codecs::Frame) {
        self.preview.slot.put(own.clone());
        for feed in self.feeds.values() {
            feed.slot.put(others.clone());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Devices and threads may take a moment to end, and the window must not stand still for it.
        if let Some(engine) = self.engine.take() {
            std::thread::spawn(move || engine.stop());
        }
    }
}

/// Troubles are shown in this order.
fn order(device: Device) -> u8 {
    match device {
        Device::Camera => 0,
        Device::Microphone => 1,
        Device::Speaker => 2,
    }
}
