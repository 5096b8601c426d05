//! Sample screens without a network: to look at, and for tests to start from.

use codecs::{Color, Frame, MediaTime, Size};
use iced::{Preset, Task};
use media::{CameraSpec, MicrophoneSpec, Part, SpeakerSpec, Trouble};
use proto::{
    Cursor, Name,
    api::State,
    model::{Buddy, OwnPresence, Presence, Relation, Ticker, TickerItem},
};

use super::{
    app::{App, Message, Screen},
    line::Line,
    pretend::{DAY_MS, Pretend},
    screen::{
        checkup,
        desk::{self, Desk, Wishes, call, equipment, own, phone},
        sign_in::SignIn,
    },
    settings::{Chosen, Equipment, Settings},
};
use crate::engine::{Device, LaneHealth, Setup, Update, Voices};

/// One of the sample screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    SignedOut,
    Home,
    /// Nobody in the list yet.
    Empty,
    Calling,
    BeingRung,
    Declined,
    InCall,
    /// Three peers, a muted one and one without a camera.
    Group,
    Reconnecting,
    /// Choosing what to share.
    Choosing,
    /// Two of three others share their screens, and so does this person.
    Sharing,
    /// Choosing a headset.
    Equipment,
    /// The way to the relay was looked at.
    Checked,
}

impl Sample {
    pub const ALL: [Self; 13] = [
        Self::SignedOut,
        Self::Home,
        Self::Empty,
        Self::Calling,
        Self::BeingRung,
        Self::Declined,
        Self::InCall,
        Self::Group,
        Self::Reconnecting,
        Self::Choosing,
        Self::Sharing,
        Self::Equipment,
        Self::Checked,
    ];

    /// Without hyphens: in a script one ends the head.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Home => "home",
            Self::Empty => "empty",
            Self::Calling => "calling",
            Self::BeingRung => "being_rung",
            Self::Declined => "declined",
            Self::InCall => "in_call",
            Self::Group => "group",
            Self::Reconnecting => "reconnecting",
            Self::Choosing => "choosing",
            Self::Sharing => "sharing",
            Self::Equipment => "equipment",
            Self::Checked => "checked",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sample| sample.name() == name)
    }

    pub fn boot(self) -> (App, Task<Message>) {
        let setup = setup();
        let screen = match self {
            Self::SignedOut => Screen::SignIn(Box::new(SignIn::new(&Settings::default()))),
            _ => Screen::Desk(Box::new(self.desk(setup.clone()))),
        };
        (App::at(screen, Settings::default(), setup, Wishes::default()), Task::none())
    }

    fn desk(self, setup: Setup) -> Desk {
        let pretend = pretend();
        let mut desk = Desk::new(Line::Pretend(pretend.clone()), setup, Wishes::default());
        desk.freeze_clock(DAY_MS + 8 * 60_000);
        let mut state = state();
        if self == Self::Empty {
            state.buddies.clear();
        }
        if self == Self::BeingRung {
            state.invitations.push(pretend.invitation());
        }
        settle(&mut desk, desk::Message::Relay(relay_client::Update::State(state)));
        if self == Self::Empty {
            return desk;
        }
        let ben = pretend.other.clone();
        if self == Self::Checked {
            settle(&mut desk, desk::Message::Own(own::Message::CheckPressed));
            settle(&mut desk, desk::Message::Checkup(checkup::Message::Finished(Box::new(pretend.report()))));
        }
        settle(&mut desk, desk::Message::Buddies(desk::buddy_list::Message::Selected(ben.clone())));
        let chat = proto::Chat::With(ben.clone());
        let page = proto::api::PageHistory::newest(chat.clone());
        let history = pretend.history(&page);
        settle(&mut desk, desk::Message::Conversation(chat.clone(), desk::conversation::Message::Paged(page, Ok(history))));
        match self {
            Self::Calling | Self::Declined => {
                settle(&mut desk, desk::Message::Conversation(chat, desk::conversation::Message::CallPressed));
                let mut rung = pretend.ring(ben.clone());
                if self == Self::Declined {
                    rung.invitation.state = proto::model::InvitationState::Declined;
                }
                settle(&mut desk, desk::Message::Phone(phone::Message::Placed(ben, Ok(rung))));
            }
            Self::InCall | Self::Group | Self::Reconnecting | Self::Choosing | Self::Sharing => self.talk(&mut desk, &pretend),
            Self::Equipment => choose(&mut desk, &pretend),
            _ => {}
        }
        desk
    }

    fn talk(self, desk: &mut Desk, pretend: &Pretend) {
        let invitation = pretend.invitation();
        let mut joined = pretend.joined();
        if matches!(self, Self::Group | Self::Sharing) {
            for (number, name, audio, video) in [(3, "zoe.king", false, true), (4, "Kim", true, false)] {
                let peer = proto::PeerId(number);
                let screen = self == Self::Sharing && video;
                joined.call.peers.push(proto::model::Peer { peer, name: known(name), audio, video, screen, muted: false });
            }
        }
        if self == Self::Sharing {
            // Ana and Ben.
            joined.call.peers.iter_mut().take(2).for_each(|peer| peer.screen = true);
        }
        let happen = |event| desk::Message::Relay(relay_client::Update::Event(event));
        settle(desk, happen(proto::Event::Invitation { invitation: invitation.clone() }));
        settle(desk, desk::Message::Phone(phone::Message::AcceptPressed));
        settle(desk, desk::Message::Phone(phone::Message::Accepted(invitation.id, Ok(joined))));
        desk.pretend_pictures(&face(Size::VGA, 40), &face(Size::VGA, 0), &sheet());
        let engine = |update| desk::Message::Call(call::Message::Engine(update));
        settle(desk, engine(Update::Figures(pretend.figures())));
        let speaking = if self == Self::Group { vec![proto::PeerId(2), proto::PeerId(4)] } else { Vec::new() };
        settle(desk, engine(Update::Voices(Voices { level: 5, speaks: self == Self::InCall, speaking })));
        if self == Self::Group {
            settle(desk, desk::Message::Call(call::Message::FiguresPressed));
        }
        if matches!(self, Self::Choosing | Self::Sharing) {
            settle(desk, desk::Message::Call(call::Message::SharePressed));
            settle(desk, desk::Message::Call(call::Message::ShareListed(Ok(pretend.screens()))));
        }
        if let (Self::Sharing, Some(shared)) = (self, pretend.screens().pop()) {
            settle(desk, desk::Message::Call(call::Message::ShareChosen(shared)));
            settle(desk, desk::Message::Call(call::Message::ScreenPressed(proto::PeerId(2))));
        }
        if self == Self::Reconnecting {
            let since = std::time::Instant::now() - std::time::Duration::from_millis(3500);
            let reason = "The relay https://relay.example.org can't be reached.".to_owned();
            settle(desk, engine(Update::Lanes(LaneHealth::Reconnecting { since, reason })));
            let trouble = Some(Trouble::Busy(Part::Camera));
            settle(desk, engine(Update::Trouble { device: Device::Camera, trouble }));
        }
    }
}

/// A headset was chosen that isn't there now.
fn choose(desk: &mut Desk, pretend: &Pretend) {
    let mut equipment = Equipment { push_to_talk: true, ..Equipment::default() };
    equipment.choose(Part::Microphone, pretend.devices().microphones.last().map(Into::into));
    equipment.choose(Part::Speaker, Some(Chosen { id: "sample:gone".into(), name: "Living room speakers".into() }));
    desk.equip(equipment);
    settle(desk, desk::Message::Own(own::Message::EquipmentPressed));
    settle(desk, desk::Message::Equipment(equipment::Message::Listed(pretend.devices())));
}

/// All of them, for iced's tester.
pub fn all() -> Vec<Preset<App, Message>> {
    Sample::ALL.into_iter().map(|sample| Preset::new(sample.name(), move || sample.boot())).collect()
}

/// A sample has nothing to wait for: what would be asked of the relay is fed in by hand.
fn settle(desk: &mut Desk, message: desk::Message) {
    drop(desk.update(message));
}

fn setup() -> Setup {
    Setup::new(CameraSpec::PATTERN, MicrophoneSpec::Chirp, SpeakerSpec::Silent)
}

fn pretend() -> Pretend {
    Pretend { me: known("Ana"), other: known("Ben") }
}

/// What the samples' relay says at first.
pub fn state() -> State {
    let buddy =
        |name, relation, presence| Buddy { name: known(name), relation, presence, text: String::new(), last_seen_ms: None };
    let item = |title: &str, body: Option<&str>, link: Option<&str>| TickerItem {
        title: title.into(),
        body: body.map(Into::into),
        link: link.map(Into::into),
    };
    let fortune = item("A call a day keeps the distance away.", Some("<p>The cookie of the day.</p>"), None);
    let status = item("The relay is well: 4 people are here.", None, Some("https://relay.example.org/status"));
    State {
        name: known("Ana"),
        buddies: vec![
            buddy("Ben", Relation::Mutual, Presence::Available),
            buddy("zoe.king", Relation::Mutual, Presence::Busy),
            Buddy { text: "Up on the roof, fixing the antenna".into(), ..buddy("Kim", Relation::Mutual, Presence::Available) },
            buddy("grandma", Relation::Mutual, Presence::Offline),
            buddy("Omar_D", Relation::Asking, Presence::Offline),
            buddy("lee", Relation::Asked, Presence::Offline),
        ],
        invitations: Vec::new(),
        call: None,
        tickers: vec![
            Ticker { provider: "fortune".into(), items: vec![fortune] },
            Ticker { provider: "relay-status".into(), items: vec![status] },
        ],
        groups: Vec::new(),
        conversations: Vec::new(),
        attachment_max: 25_000_000,
        presence: OwnPresence::default(),
        blocked: Vec::new(),
        missed: Vec::new(),
        cursor: Cursor::new("sample"),
    }
}

fn known(name: &str) -> Name {
    name.parse().unwrap_or_else(|_| unreachable!("the samples' names are names"))
}

/// A window with a table in it, as somebody might share it.
fn sheet() -> Frame {
    let mut frame = Frame::new(Size::HD, Color::default(), MediaTime::ZERO);
    let width = Size::HD.width as usize;
    let (luma, u, v) = frame.planes_mut();
    for (row, line) in luma.chunks_exact_mut(width).enumerate() {
        for (column, pixel) in line.iter_mut().enumerate() {
            let (cell, x, y) = ((column / 160, row / 40), column % 160, row % 40);
            // The longer a word the further right it ends; a letter is five points wide.
            let word = x > 12 && x < 40 + (cell.0 * 37 + cell.1 * 53) % 100 && (14..27).contains(&y) && (x + y / 6) % 7 < 5;
            *pixel = match () {
                () if x == 0 || y == 0 => 190,
                () if word => 60,
                () if cell.1 == 0 => 205,
                () => 235,
            };
        }
    }
    u.fill(128);
    v.fill(128);
    frame
}

/// A friendly face on a soft ground; `turn` makes another one of it.
pub fn face(size: Size, turn: u8) -> Frame {
    let mut frame = Frame::new(size, Color::default(), MediaTime::ZERO);
    let (width, height) = (size.width as usize, size.height as usize);
    let (middle, eye) = ((width as f32 / 2.0, height as f32 * 0.48), height as f32 * 0.035);
    let round = height as f32 * 0.32;
    let within = |x: f32, y: f32, (cx, cy): (f32, f32), r: f32| (x - cx).hypot(y - cy) < r;
    let paint = |x: f32, y: f32| -> [u8; 3] {
        let smile = within(x, y, (middle.0, middle.1 + round * 0.15), round * 0.55)
            && !within(x, y, (middle.0, middle.1 + round * 0.02), round * 0.58)
            && y > middle.1;
        let eyes = [-0.35, 0.35].iter().any(|side| within(x, y, (middle.0 + side * round, middle.1 - round * 0.2), eye));
        if eyes || smile {
            [50, 120, 135]
        } else if within(x, y, middle, round) {
            [190, 100 + turn / 4, 155 - turn / 2]
        } else if within(x, y, (middle.0, height as f32 * 1.2), height as f32 * 0.45) {
            [95, 160 - turn, 110 + turn / 2]
        } else {
            [120 + (60.0 * y / height as f32) as u8, 140 - turn / 2, 112 + turn / 3]
        }
    };
    let (luma, u, v) = frame.planes_mut();
    for (row, line) in luma.chunks_exact_mut(width).enumerate() {
        for (column, pixel) in line.iter_mut().enumerate() {
            *pixel = paint(column as f32, row as f32)[0];
        }
    }
    for (plane, channel) in [(u, 1), (v, 2)] {
        for (row, line) in plane.chunks_exact_mut(width / 2).enumerate() {
            for (column, pixel) in line.iter_mut().enumerate() {
                *pixel = paint(column as f32 * 2.0 + 0.5, row as f32 * 2.0 + 0.5)[channel];
            }
        }
    }
    frame
}
