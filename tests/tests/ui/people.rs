//! Being seen, being left alone, what was missed, and what the owner of a call may do.

use app::ui::{
    app::{Message, Screen},
    icon::Icon,
    keys::Shortcut,
    line::Failure,
    notice::Notice,
    preset::Sample,
    pretend::{DAY_MS, Pretend},
    screen::{
        desk::{self, account, call, conversation, phone::Phone},
        sign_in,
    },
};
use iced::widget::Id;
use proto::{
    ErrorCode, Event, PeerId,
    model::{Choice, EndReason, MissedCall, OwnPresence, Presence},
};

use crate::stand::{Stand, name};

fn pretend() -> Pretend {
    Pretend { me: name("Ana"), other: name("Ben") }
}

fn sign(icon: Icon) -> String {
    icon.unicode().to_string()
}

fn pressed(messages: &[Message], what: &str) {
    let messages = format!("{messages:?}");
    assert!(messages.contains(what), "no {what}: {messages}");
}

#[test]
fn a_person_chooses_how_to_be_seen() {
    let mut stand = Stand::new(Sample::Home);
    stand.expect_not("Nothing rings; missed calls are kept");
    stand.click(Id::new("own-presence"));
    for text in ["Away by itself after a while", "Calls still ring", "You look as if you were not there", "Devices and password"]
    {
        stand.expect(text);
    }
    pressed(&stand.click("Nothing rings; missed calls are kept"), "Chosen(DoNotDisturb)");
    stand.expect_not("Nothing rings; missed calls are kept");
    stand.expect("Do not disturb");
    // Another device says otherwise.
    let presence = OwnPresence { choice: Choice::Invisible, text: String::new() };
    stand.happen(Event::OwnPresence { presence });
    stand.expect("Invisible");
    stand.expect_not("Do not disturb");
}

#[test]
fn a_person_says_a_line_of_themselves_and_what_the_relay_refuses_is_told() {
    let mut stand = Stand::new(Sample::Home);
    stand.click(Id::new("own-presence"));
    pressed(&stand.enter_into("own-text", "In the garden"), "TextSubmitted");
    stand.expect("In the garden");
    let refused = desk::own::Message::Saved(Err(Notice::new("The relay is stopping.")));
    stand.tell(desk::Message::Own(refused));
    stand.expect("The relay is stopping.");
    drop(stand.app.update(Message::Shortcut(Shortcut::Dismiss)));
    stand.expect_not("The relay is stopping.");
    stand.expect("Available");
}

#[test]
fn buddies_show_how_they_are_and_what_they_say() {
    let mut stand = Stand::new(Sample::Home);
    stand.expect("Up on the roof, fixing the antenna");
    for (presence, text, shown, which) in [
        (Presence::Away, "", "Away", Icon::Clock),
        (Presence::DoNotDisturb, "", "Do not disturb", Icon::CircleMinus),
        (Presence::DoNotDisturb, "Writing", "Writing", Icon::CircleMinus),
    ] {
        stand.happen(Event::Presence { name: name("Kim"), presence, text: text.to_owned(), last_seen_ms: None });
        stand.expect(shown);
        stand.expect(&sign(which));
    }
    let last_seen_ms = Some(DAY_MS - 25 * 60_000);
    let gone = Event::Presence { name: name("Kim"), presence: Presence::Offline, text: String::new(), last_seen_ms };
    stand.happen(gone);
    stand.expect("Last seen at 13:35");
}

#[test]
fn who_does_not_want_to_be_disturbed_can_not_be_rung() {
    let mut stand = Stand::new(Sample::Home);
    stand.click("Kim");
    let quiet = Presence::DoNotDisturb;
    stand.happen(Event::Presence { name: name("Kim"), presence: quiet, text: String::new(), last_seen_ms: None });
    assert!(stand.click("Call").is_empty());
    stand.expect_not("Calling Kim\u{2026}");
    // Away is no reason.
    let away = Presence::Away;
    stand.happen(Event::Presence { name: name("Kim"), presence: away, text: String::new(), last_seen_ms: None });
    stand.click("Call");
    stand.expect("Calling Kim\u{2026}");
    let refused = Notice { text: "No.".to_owned(), code: Some(ErrorCode::DoNotDisturb) };
    let placed = desk::phone::Message::Placed(name("Kim"), Err(refused));
    stand.tell(desk::Message::Phone(placed));
    stand.expect("Kim does not want to be disturbed now, but will see that you called.");
}

#[test]
fn a_buddy_is_blocked_and_unblocked() {
    let mut stand = Stand::new(Sample::Home);
    stand.click(Id::new("buddy-menu"));
    pressed(&stand.click("Block Ben"), "BlockPressed");
    stand.happen(Event::Blocked { names: vec![name("Ben")] });
    stand.expect("Blocked");
    assert!(stand.click("Call").is_empty());
    stand.click(Id::new("buddy-menu"));
    stand.expect("Unblock Ben");
    // The list of all who are blocked is with what is the person's own.
    stand.click(Id::new("own-presence"));
    stand.click("1 blocked person");
    pressed(&stand.click("Unblock"), "UnblockPressed");
    stand.happen(Event::Blocked { names: vec![] });
    stand.expect_not("Blocked");
    stand.expect_not("1 blocked person");
}

#[test]
fn a_buddy_is_reported_in_words() {
    let mut stand = Stand::new(Sample::Home);
    stand.click(Id::new("buddy-menu"));
    stand.click("Report\u{2026}");
    assert!(stand.click("Send report").is_empty(), "there is nothing to send yet");
    pressed(&stand.enter_into("report", "Rings every night."), "ReportSubmitted");
    stand.expect("Sending\u{2026}");
    let reported = conversation::Message::Menu(conversation::menu::Message::Reported(Ok(())));
    stand.tell(desk::Message::Conversation(proto::Chat::With(name("Ben")), reported));
    stand.expect("Thank you. Whoever runs the relay will see it.");
    stand.expect_not("Send report");
}

#[test]
fn a_buddy_is_removed() {
    let mut stand = Stand::new(Sample::Home);
    stand.click(Id::new("buddy-menu"));
    pressed(&stand.click("Remove from the list"), "RemovePressed");
    stand.expect("Choose a buddy to talk to");
}

#[test]
fn missed_calls_are_shown_until_they_are_seen_and_can_be_answered() {
    let missed = |from: &str, minutes: u64, count| MissedCall { from: name(from), at_ms: DAY_MS - minutes * 60_000, count };
    let mut stand = Stand::new(Sample::Home);
    stand.expect_not("Missed calls");
    stand.happen(Event::Missed { calls: vec![missed("Noor", 10, 3), missed("zoe.king", 1500, 1)] });
    for text in ["Missed calls", "Noor", "Today, 13:50 \u{b7} 3 times", "Yesterday, 13:00"] {
        stand.expect(text);
    }
    stand.click(sign(Icon::Phone).as_str());
    stand.expect("Calling Noor\u{2026}");
    stand.click("Cancel");
    pressed(&stand.click("Seen"), "SeenPressed(None)");
    stand.expect_not("Missed calls");
}

#[test]
fn the_owner_of_a_call_mutes_removes_and_locks() {
    let mut stand = Stand::new(Sample::InCall);
    stand.expect_not("Copy link");
    stand.click(Id::new("invite"));
    stand.expect("You");
    pressed(&stand.click(sign(Icon::MicOff).as_str()), "MutePeerPressed(PeerId(2))");
    pressed(&stand.click(sign(Icon::UserX).as_str()), "RemovePeerPressed(PeerId(2))");
    stand.expect(&sign(Icon::LockOpen));
    pressed(&stand.click(Id::new("lock")), "LockPressed");
    let mut call = pretend().joined().call;
    call.locked = true;
    call.owner = Some(PeerId(2));
    stand.happen(Event::Call { call });
    stand.expect(&sign(Icon::Lock));
    stand.expect_not(&sign(Icon::UserX));
    assert!(stand.click(Id::new("lock")).is_empty(), "it is for the owner to do");
    let ended = Event::CallEnded { call: pretend().joined().call.id, reason: EndReason::HungUp };
    stand.happen(ended);
    stand.expect("The call is over. You talked for 0:00.");
}

#[test]
fn who_is_removed_is_told_by_whom() {
    let mut stand = Stand::new(Sample::InCall);
    stand.happen(Event::CallEnded { call: pretend().joined().call.id, reason: EndReason::Removed });
    stand.expect("The call\u{2019}s owner has removed you from it. You talked for 0:00.");
}

#[test]
fn a_link_into_the_call_is_copied_and_taken_back() {
    let mut stand = Stand::new(Sample::InCall);
    stand.click(Id::new("invite"));
    stand.expect_not(&sign(Icon::Unlink));
    pressed(&stand.click("Copy link"), "LinkPressed");
    let linked = call::Message::Linked(Ok(pretend().link()));
    stand.tell(desk::Message::Call(linked));
    stand.expect("The link is copied: whoever has it and an account here can join.");
    pressed(&stand.click(sign(Icon::Unlink).as_str()), "LinkRevoked");
    stand.expect_not(&sign(Icon::Unlink));
}

#[test]
fn a_call_is_joined_by_its_link() {
    let mut stand = Stand::new(Sample::Home);
    pressed(&stand.enter_into("add-buddy", &pretend().link()), "AddPressed");
    let locked = Notice { text: "The call is locked.".to_owned(), code: Some(ErrorCode::CallLocked) };
    stand.tell(desk::Message::Entered(Err(locked)));
    stand.expect("The call is locked.");
    stand.tell(desk::Message::Entered(Ok(pretend().joined())));
    stand.expect("0:00");
    stand.expect("Connected");
}

#[test]
fn who_is_muted_by_the_owner_is_told_and_sends_no_sound_until_they_want_to() {
    let mut stand = Stand::new(Sample::InCall);
    let mut call = pretend().joined().call;
    call.owner = Some(PeerId(2));
    (call.peers[0].audio, call.peers[0].muted) = (false, true);
    stand.happen(Event::Call { call: call.clone() });
    stand.expect("Ben has muted you. Unmute when you want to be heard.");
    let audio = |stand: &Stand| match stand.app.screen() {
        Screen::Desk(desk) => match desk.phone() {
            Phone::Talking(call) => call.media().audio,
            _ => panic!("no call"),
        },
        Screen::SignIn(_) => panic!("not signed in"),
    };
    assert!(!audio(&stand));
    stand.click(Id::new("mute"));
    assert!(audio(&stand));
    // Who joins while that is on its way changes nothing.
    stand.happen(Event::Call { call });
    assert!(audio(&stand));
}

#[test]
fn the_devices_are_listed_and_the_password_is_changed() {
    let mut stand = Stand::new(Sample::Home);
    stand.click(Id::new("own-presence"));
    pressed(&stand.click("Devices and password"), "AccountPressed");
    stand.tell(desk::Message::Account(account::Message::Listed(Ok(pretend().sessions()))));
    for text in ["tvphone on desktop", "This device", "kitchen", "Last used yesterday, 13:00"] {
        stand.expect(text);
    }
    pressed(&stand.click(Id::new("end-session")), "EndPressed");
    stand.type_into("old-password", "correct horse");
    stand.enter_into("new-password", "short");
    stand.expect("A password needs at least 8 characters.");
    stand.enter_into("new-password", " no more");
    stand.expect("One moment\u{2026}");
    stand.tell(desk::Message::Account(account::Message::Changed(Ok(()))));
    stand.expect("The password is changed. Your other devices are signed off.");
    drop(stand.app.update(Message::Shortcut(Shortcut::Dismiss)));
    stand.expect_not("tvphone on desktop");
}

#[test]
fn a_relay_that_wants_a_code_gets_a_field_for_it() {
    let mut stand = Stand::new(Sample::SignedOut);
    stand.click("I'm new here: create an account");
    stand.expect_not("Invitation code");
    let wrong = Notice { text: "An account here takes an invitation code.".to_owned(), code: Some(ErrorCode::WrongCode) };
    drop(stand.app.update(Message::SignIn(sign_in::Message::Finished(Err(Failure::Told(wrong))))));
    stand.expect("Invitation code");
    stand.expect("This relay wants an invitation code: ask whoever runs it for one.");
    stand.type_into("sign-in-code", "7kqf 9m2x 0cvb t4hd");
    stand.click("I have an account already");
    stand.expect_not("Invitation code");
}
