//! What each screen does when it is used.

use app::engine;
use app::ui::{
    app::{Message, Screen},
    icon::Icon,
    keys::Shortcut,
    line::Failure,
    preset::Sample,
    screen::{
        checkup,
        desk::{self, call, phone::Phone},
        sign_in::{self, question::Question},
    },
};
use iced::{Event as Input, Size, keyboard, widget::Id};
use media::{ScreenTrouble, screen::Source};
use proto::{
    CallId, Event, Fingerprint, PeerId,
    api::SetMedia,
    model::{Call, Peer},
};
use relay_client::{
    Error,
    doctor::{Figures, Progress, Report, Rung, Step, Verdict},
};

use crate::stand::Stand;

#[test]
fn a_wrong_form_is_told_before_anything_is_sent() {
    let mut stand = Stand::new(Sample::SignedOut);
    stand.click("Sign in");
    stand.expect("Which relay? Ask whoever runs it for its address.");
    stand.type_into("sign-in-relay", "relay.example.org");
    stand.expect_not("Which relay? Ask whoever runs it for its address.");
    stand.type_into("sign-in-name", "no name");
    stand.click("Sign in");
    stand.expect(
        "That can't be a name: a name has 1 to 32 letters, digits, dots, underscores and hyphens, and begins with a letter or digit.",
    );
}

#[test]
fn an_address_in_the_clear_is_told_while_it_is_typed() {
    let mut stand = Stand::new(Sample::SignedOut);
    stand.type_into("sign-in-relay", "relay.example.org");
    stand.expect_not(sign_in::IN_THE_CLEAR);
    let mut stand = Stand::new(Sample::SignedOut);
    stand.type_into("sign-in-relay", "http://relay.example.org");
    stand.expect(sign_in::IN_THE_CLEAR);
    let mut stand = Stand::new(Sample::SignedOut);
    stand.type_into("sign-in-relay", "http://127.0.0.1:7480");
    stand.expect_not(sign_in::IN_THE_CLEAR);
}

#[test]
fn the_way_is_looked_at_rung_by_rung_and_the_report_can_be_copied() {
    let mut stand = Stand::new(Sample::SignedOut);
    stand.click("Check the connection");
    stand.expect("Which relay? Ask whoever runs it for its address.");
    stand.type_into("sign-in-relay", "relay.example.org");
    stand.click("Check the connection");
    stand.expect("Connection check");
    let went = |stand: &mut Stand, progress| {
        let message = sign_in::Message::Checkup(checkup::Message::Went(progress));
        drop(stand.app.update(Message::SignIn(message)));
    };
    went(&mut stand, Progress::Began(Step::Name));
    stand.expect("Looking\u{2026}");
    let bad = Rung {
        step: Step::Name,
        verdict: Verdict::Bad,
        found: "It isn't found.".into(),
        advice: "Look for typing errors.".into(),
    };
    went(&mut stand, Progress::Ended(bad.clone()));
    stand.expect("It isn't found.");
    stand.expect_not("Looking\u{2026}");
    assert!(stand.click("Copy report").is_empty(), "there is none yet");
    let report = Report::new("https://relay.example.org/".into(), "no proxy".into(), vec![bad], Figures::default());
    drop(stand.app.update(Message::SignIn(sign_in::Message::Checkup(checkup::Message::Finished(Box::new(report))))));
    stand.expect("Begin with: Name");
    stand.expect("Look for typing errors.");
    stand.click("Copy report");
    stand.expect("Copied");
    stand.click(Id::new("close-checkup"));
    stand.expect("Sign in");
    stand.expect_not("Connection check");
}

/// A stand where signing in came to this.
fn signing_in_came_to(error: Error) -> Stand {
    let mut stand = Stand::new(Sample::SignedOut);
    stand.type_into("sign-in-relay", "relay.example.org");
    drop(stand.app.update(Message::SignIn(sign_in::Message::Finished(Err(Failure::from(error))))));
    stand
}

#[test]
fn a_certificate_of_the_relays_own_making_is_shown_and_remembered_once_it_is_trusted() {
    let fingerprint = Fingerprint::new([0xab; 32]);
    let unknown = || Error::UnknownCertificate { relay: "https://relay.example.org".into(), fingerprint };
    let mut stand = signing_in_came_to(unknown());
    stand.expect("Is this your relay?");
    stand.expect("AB:AB:AB:AB:AB:AB:AB:AB");
    stand.expect_not("Sign in");
    stand.click("Don\u{2019}t");
    stand.expect("Sign in");
    assert!(stand.app.settings().trusted.is_empty());

    let mut stand = signing_in_came_to(unknown());
    stand.click("Trust this relay");
    stand.expect_not("Is this your relay?");
    let question = Question { relay: "https://relay.example.org".into(), fingerprint, before: None };
    assert_eq!(stand.app.settings().trusted.get(&question.relay), Some(&question.fingerprint));
}

#[test]
fn a_changed_certificate_is_shown_beside_the_old_one_and_trusted_only_when_it_was_compared() {
    const TALL: Size = Size::new(920.0, 1200.0);
    let [pinned, found] = [[0xab; 32], [0xcd; 32]].map(Fingerprint::new);
    let changed = || Error::CertificateChanged { relay: "https://relay.example.org".into(), pinned, found };
    let mut stand = signing_in_came_to(changed()).sized(TALL);
    for text in ["This may not be your relay", "AB:AB:AB:AB:AB:AB:AB:AB", "CD:CD:CD:CD:CD:CD:CD:CD"] {
        stand.expect(text);
    }
    assert!(stand.click("Trust the new certificate").is_empty(), "it was not compared");
    stand.click("Don\u{2019}t connect");
    stand.expect("Sign in");
    assert!(stand.app.settings().trusted.is_empty());

    let mut stand = signing_in_came_to(changed()).sized(TALL);
    stand.click("They told me the new fingerprint, and it is the same to the last sign.");
    stand.click("Trust the new certificate");
    stand.expect_not("This may not be your relay");
    assert_eq!(stand.app.settings().trusted.get("https://relay.example.org"), Some(&found));
}

#[test]
fn an_account_needs_a_longer_password() {
    let mut stand = Stand::new(Sample::SignedOut);
    stand.type_into("sign-in-relay", "relay.example.org");
    stand.type_into("sign-in-name", "Ana");
    stand.click("I'm new here: create an account");
    stand.enter_into("sign-in-password", "short");
    stand.expect("A password needs at least 8 characters.");
    stand.type_into("sign-in-password", " no more");
    stand.click("Create account");
    stand.expect("One moment\u{2026}");
    assert!(!stand.shows("Create account"));
}

#[test]
fn the_buddy_list_says_who_is_there_and_who_asks() {
    let stand = Stand::new(Sample::Home);
    for text in ["Ben", "zoe.king", "grandma", "Available", "In a call", "Not there", "Would like to be your buddies", "Omar_D"] {
        stand.expect(text);
    }
    Stand::new(Sample::Empty).expect("Nobody here yet. Ask someone by name, below.");
}

#[test]
fn someone_is_asked_by_name() {
    let mut stand = Stand::new(Sample::Home);
    stand.enter_into("add-buddy", "no name");
    stand.expect(
        "That can't be a name: a name has 1 to 32 letters, digits, dots, underscores and hyphens, and begins with a letter or digit.",
    );
    let mut stand = Stand::new(Sample::Home);
    assert!(format!("{:?}", stand.enter_into("add-buddy", "Noor")).contains("AddPressed"));
}

#[test]
fn a_message_is_written_and_stays_until_it_is_sent() {
    let mut stand = Stand::new(Sample::Home);
    stand.expect("I can hardly wait \u{2013} see you then.");
    stand.expect("Today");
    stand.enter_into("draft", "Are you there?");
    stand.expect("Are you there?");
    stand.expect("sending\u{2026}");
}

#[test]
fn only_who_is_there_can_be_rung() {
    let mut stand = Stand::new(Sample::Home);
    stand.click("grandma");
    stand.click("Call");
    stand.expect_not("Calling grandma\u{2026}");
    stand.click("Ben");
    stand.click("Call");
    stand.expect("Calling Ben\u{2026}");
    stand.click("Cancel");
    stand.expect_not("Calling Ben\u{2026}");
}

#[test]
fn what_became_of_a_ring_is_told_and_it_can_be_rung_again() {
    let mut stand = Stand::new(Sample::Declined);
    stand.expect("Ben declined the call.");
    stand.click("Call again");
    stand.expect("Calling Ben\u{2026}");
}

#[test]
fn a_ring_can_be_accepted_once_or_declined() {
    let mut stand = Stand::new(Sample::BeingRung);
    stand.expect("is calling you");
    stand.click("Accept");
    stand.expect("Connecting\u{2026}");
    assert!(stand.click("Accept").is_empty());

    let mut stand = Stand::new(Sample::BeingRung);
    stand.click("Decline");
    stand.expect_not("is calling you");
}

#[test]
fn nothing_under_a_dialog_can_be_pressed() {
    let mut stand = Stand::new(Sample::BeingRung);
    let messages = stand.click("zoe.king");
    assert!(messages.is_empty(), "{messages:?}");
}

#[test]
fn a_call_shows_who_is_in_it_and_how_it_is() {
    let stand = Stand::new(Sample::InCall);
    stand.expect("Connected");
    stand.expect("0:00");
    stand.expect("Ben");
    let stand = Stand::new(Sample::Group);
    for text in ["zoe.king", "Kim", "640x480", "about 47 ms", "1012 kbit/s", "+44 ms"] {
        stand.expect(text);
    }
    let stand = Stand::new(Sample::Reconnecting);
    stand.expect("Reconnecting\u{2026} 3 s");
    stand.expect("The camera is in use by another program. Close that program.");
}

#[test]
fn how_a_call_fares_is_shown_on_demand_and_in_later_calls_too() {
    let mut stand = Stand::new(Sample::InCall);
    stand.expect_not("Round trip");
    stand.click(Id::new("figures"));
    stand.expect("Round trip");
    assert!(stand.app.settings().figures);
    stand.click(Id::new("figures"));
    stand.expect_not("Round trip");
    assert!(!stand.app.settings().figures);
}

#[test]
fn another_peer_is_made_large_by_pressing_their_tile() {
    let mut stand = Stand::new(Sample::Group);
    stand.click("Kim");
    stand.expect("camera off");
    stand.expect("Camera off");
}

#[test]
fn someone_else_is_asked_into_a_call() {
    let mut stand = Stand::new(Sample::InCall);
    stand.expect_not("Who else should join?");
    stand.click(Id::new("invite"));
    stand.expect("Who else should join?");
    // Who is in another call or not there can't be asked.
    stand.expect_not("zoe.king");
    stand.expect_not("grandma");
    let messages = format!("{:?}", stand.click("Kim"));
    assert!(messages.contains("InviteeChosen"), "{messages}");
    stand.expect_not("Who else should join?");
    let mut stand = Stand::new(Sample::Group);
    stand.click(Id::new("invite"));
    stand.expect("None of your other buddies is there now.");
}

#[test]
fn controls_switch_what_they_say() {
    let mut stand = Stand::new(Sample::InCall);
    let everything = SetMedia { audio: true, video: true, screen: false };
    // Hints lie outside of what the simulator finds; the sign on a button says the same.
    let sign = |icon: Icon| icon.unicode().to_string();
    for (button, shortcut, on, off, without) in [
        ("mute", Shortcut::Mute, Icon::Mic, Icon::MicOff, SetMedia { audio: false, ..everything }),
        ("camera", Shortcut::Camera, Icon::Video, Icon::VideoOff, SetMedia { video: false, ..everything }),
    ] {
        assert_eq!(sends(&stand), Some(everything), "{button}");
        stand.expect(&sign(on));
        stand.click(Id::new(button));
        assert_eq!(sends(&stand), Some(without), "{button}");
        stand.expect(&sign(off));
        stand.expect_not(&sign(on));
        // The key does the same, and so takes it back.
        drop(stand.app.update(Message::Shortcut(shortcut)));
        assert_eq!(sends(&stand), Some(everything), "{button}");
        stand.expect(&sign(on));
        stand.expect_not(&sign(off));
    }
}

#[test]
fn what_is_shared_is_chosen_said_all_the_time_and_ended() {
    let mut stand = Stand::new(Sample::InCall);
    let shares = |stand: &Stand| sends(stand).is_some_and(|media| media.screen);
    stand.click(Id::new("share"));
    stand.expect("Looking what there is\u{2026}");
    let sources = vec![source("eDP-1", true), source("My letter", false)];
    stand.tell(desk::Message::Call(call::Message::ShareListed(Ok(sources))));
    stand.expect("The whole screen eDP-1 (1920 \u{d7} 1080)");
    assert!(!shares(&stand), "nothing is shared by looking");
    stand.click("My letter");
    assert!(shares(&stand));
    stand.expect_not("The whole screen eDP-1 (1920 \u{d7} 1080)");
    stand.expect("Showing \u{201c}My letter\u{201d}\u{2026}");
    let peers = [peer(1, "Ana", true), peer(2, "Ben", false)];
    stand.happen(call_of(&peers));
    stand.expect("Everyone in the call sees \u{201c}My letter\u{201d}.");
    stand.click("Stop sharing");
    assert!(!shares(&stand));
    stand.expect_not("Stop sharing");

    drop(stand.app.update(Message::Shortcut(Shortcut::Share)));
    stand.tell(desk::Message::Call(call::Message::ShareListed(Err(ScreenTrouble::Wayland))));
    stand.expect(&ScreenTrouble::Wayland.to_string());
    drop(stand.app.update(Message::Shortcut(Shortcut::Dismiss)));
    stand.expect_not(&ScreenTrouble::Wayland.to_string());

    stand.tell(desk::Message::Call(call::Message::ShareChosen(source("My letter", false))));
    stand.tell(desk::Message::Call(call::Message::Engine(engine::Update::Screen(Err(ScreenTrouble::Closed)))));
    assert!(!shares(&stand), "the others are told");
    stand.expect("The window that was shared was closed.");
    stand.expect_not("Stop sharing");
}

#[test]
fn what_others_share_is_large_until_it_ends_and_faces_stay() {
    let mut stand = Stand::new(Sample::InCall);
    stand.expect_not("Ben\u{2019}s screen");
    stand.happen(call_of(&[peer(1, "Ana", false), peer(2, "Ben", true), peer(3, "Kim", false)]));
    stand.expect("Ben\u{2019}s screen");
    stand.expect("Kim");
    stand.happen(call_of(&[peer(1, "Ana", false), peer(2, "Ben", true), peer(3, "Kim", true)]));
    stand.expect("Kim\u{2019}s screen");
    stand.happen(call_of(&[peer(1, "Ana", false), peer(2, "Ben", true), peer(3, "Kim", false)]));
    stand.expect_not("Kim\u{2019}s screen");
    // A face is wished for: the screen is a tile.
    stand.click("Kim");
    stand.expect_not("Ben\u{2019}s screen");
    stand.tell(desk::Message::Call(call::Message::ScreenPressed(PeerId(2))));
    stand.expect("Ben\u{2019}s screen");
    stand.happen(call_of(&[peer(1, "Ana", false), peer(2, "Ben", false), peer(3, "Kim", false)]));
    stand.expect_not("Ben\u{2019}s screen");
}

fn source(name: &str, monitor: bool) -> Source {
    Source { id: name.into(), name: name.into(), monitor, size: (1920, 1080) }
}

fn peer(number: u16, name: &str, screen: bool) -> Peer {
    Peer { peer: PeerId(number), name: name.parse().expect("a name"), audio: true, video: true, screen, muted: false }
}

/// The sample call changes.
fn call_of(peers: &[Peer]) -> Event {
    let id = CallId::new("sample-call");
    Event::Call { call: Call { id, peers: peers.to_vec(), owner: Some(PeerId(1)), locked: false } }
}

#[test]
fn hanging_up_ends_the_call() {
    for by_key in [false, true] {
        let mut stand = Stand::new(Sample::InCall);
        stand.expect("0:00");
        stand.expect_not("grandma");
        if by_key {
            drop(stand.app.update(Message::Shortcut(Shortcut::HangUp)));
        } else {
            stand.click(Id::new("hang-up"));
        }
        assert_eq!(sends(&stand), None);
        stand.expect_not("0:00");
        stand.expect("grandma");
    }
}

/// What this person sends, if they are in a call.
fn sends(stand: &Stand) -> Option<SetMedia> {
    let Screen::Desk(desk) = stand.app.screen() else { return None };
    match desk.phone() {
        Phone::Talking(call) => Some(call.media()),
        _ => None,
    }
}

#[test]
fn the_chat_beside_a_call_can_be_put_away() {
    let mut stand = Stand::new(Sample::InCall);
    stand.expect("I can hardly wait \u{2013} see you then.");
    stand.click(Id::new("chat"));
    stand.expect_not("I can hardly wait \u{2013} see you then.");
    stand.click(Id::new("chat"));
    stand.expect("I can hardly wait \u{2013} see you then.");
}

#[test]
fn the_colours_are_chosen_by_hand_or_by_the_system() {
    let mut stand = Stand::new(Sample::Home);
    assert!(stand.app.theme().is_none());
    stand.click(Id::new("appearance"));
    assert!(stand.app.theme().is_some_and(|theme| !theme.extended_palette().is_dark));
    stand.click(Id::new("appearance"));
    assert!(stand.app.theme().is_some_and(|theme| theme.extended_palette().is_dark));
    stand.click(Id::new("appearance"));
    assert!(stand.app.theme().is_none());
}

#[test]
fn a_ticker_item_runs_along_the_foot() {
    let mut stand = Stand::new(Sample::Home);
    stand.expect("A call a day keeps the distance away.");
    // The pointer on it holds it still.
    let messages = stand.act(|screen| {
        screen.point_at((200.0, 745.0));
        screen.simulate([Input::Mouse(iced::mouse::Event::CursorMoved { position: (200.0, 745.0).into() })]);
    });
    assert!(format!("{messages:?}").contains("Hovered(true)"), "{messages:?}");
}

#[test]
fn enter_in_an_empty_field_does_nothing() {
    let mut stand = Stand::new(Sample::Home);
    let messages = stand.act(|screen| {
        screen.click(Id::new("draft")).expect("the field is there");
        screen.tap_key(keyboard::key::Named::Enter);
    });
    assert_eq!(messages.len(), 1);
    stand.expect_not("sending\u{2026}");
}
