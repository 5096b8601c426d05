//! Choosing camera, microphone and speaker, and being heard.

use app::{
    engine::{Update, Voices},
    ui::{
        app::Message,
        icon::Icon,
        keys::Shortcut,
        preset::Sample,
        screen::desk::{self, call, equipment},
    },
};
use iced::{keyboard, widget::Id};
use media::{Part, devices::InUse};
use proto::PeerId;

use crate::stand::Stand;

fn sign(icon: Icon) -> String {
    icon.unicode().to_string()
}

fn engine(stand: &mut Stand, update: Update) {
    stand.tell(desk::Message::Call(call::Message::Engine(update)));
}

/// The panel is open and knows what there is.
fn opened(stand: &mut Stand) {
    let lists = app::ui::pretend::Pretend { me: crate::stand::name("Ana"), other: crate::stand::name("Ben") }.devices();
    stand.tell(desk::Message::Equipment(equipment::Message::Listed(lists)));
}

#[test]
fn a_device_is_chosen_in_a_call_and_remembered_by_its_name() {
    let mut stand = Stand::new(Sample::InCall);
    stand.click(Id::new("equipment"));
    stand.expect("Looking\u{2026}");
    opened(&mut stand);
    stand.click("Built-in speakers");
    let chosen = stand.app.settings().equipment.of(Part::Speaker).expect("a speaker is chosen").clone();
    assert_eq!((chosen.id.as_str(), chosen.name.as_str()), ("sample:Built-in speakers", "Built-in speakers"));
    stand.click("Lower noise");
    assert!(!stand.app.settings().equipment.noise_suppression);
    drop(stand.app.update(Message::Shortcut(Shortcut::Dismiss)));
    stand.expect_not("Your voice");
    // It was unplugged, and is back.
    let device = |name: &str, stand_in| InUse { part: Part::Speaker, id: name.into(), name: name.into(), stand_in };
    engine(&mut stand, Update::InUse(device("USB headset", true)));
    stand.expect("Built-in speakers isn\u{2019}t there: USB headset is the speaker until it is.");
    engine(&mut stand, Update::InUse(device("Built-in speakers", false)));
    stand.expect("The speaker is Built-in speakers now.");
}

#[test]
fn a_chosen_device_that_is_not_there_stays_chosen_until_the_person_says_otherwise() {
    let mut stand = Stand::new(Sample::Equipment);
    stand.expect("Living room speakers (not there)");
    stand.click("Living room speakers (not there)");
    stand.expect("Living room speakers (not there)");
    stand.click("Built-in speakers");
    stand.expect_not("Living room speakers (not there)");
}

#[test]
fn who_pushes_to_talk_is_seen_to_be_heard_only_while_the_key_is_held() {
    let mut stand = Stand::new(Sample::InCall);
    let is_off = |stand: &Stand| stand.shows(&sign(Icon::MicOff));
    assert!(!is_off(&stand));
    stand.click(Id::new("equipment"));
    stand.click("Push to talk");
    stand.expect("You are heard only while you hold Space.");
    drop(stand.app.update(Message::Shortcut(Shortcut::Dismiss)));
    assert!(is_off(&stand));
    drop(stand.app.update(Message::Shortcut(Shortcut::Talk)));
    assert!(!is_off(&stand));
    drop(stand.app.update(Message::Shortcut(Shortcut::Hush)));
    assert!(is_off(&stand));
    // Whoever goes to another window with the key held is not heard there.
    drop(stand.app.update(Message::Shortcut(Shortcut::Talk)));
    stand.tell(desk::Message::Focused(false));
    assert!(is_off(&stand));
}

#[test]
fn a_space_that_is_typed_goes_into_the_field() {
    let mut stand = Stand::new(Sample::SignedOut);
    let mut typed = Vec::new();
    stand.act(|screen| {
        screen.click(Id::new("sign-in-name")).expect("the field is there");
        typed = screen.simulate(iced_test::simulator::tap_key(keyboard::key::Named::Space, Some(" ".into())));
    });
    assert_eq!(typed.first(), Some(&iced::event::Status::Captured));
}

#[test]
fn who_speaks_is_marked() {
    let mut stand = Stand::new(Sample::InCall);
    stand.expect_not(&sign(Icon::AudioLines));
    engine(&mut stand, Update::Voices(Voices { level: 0, speaks: false, speaking: vec![PeerId(2)] }));
    stand.expect(&sign(Icon::AudioLines));
    engine(&mut stand, Update::Voices(Voices::default()));
    stand.expect_not(&sign(Icon::AudioLines));
}
