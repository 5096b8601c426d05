//! Conversations as they are seen: groups, unread messages, marks, who is writing, changes, files.

use std::{path::PathBuf, time::Duration};

use app::ui::{
    app::Message,
    icon::Icon,
    preset::{self, Sample},
    pretend::DAY_MS,
    screen::desk,
};
use iced::widget::Id;
use proto::{
    AttachmentId, Chat, Event, GroupId, MessageId, Name,
    api::State,
    chat::{Attachment, Conversation, Group, Marks, Preview},
    limits::TYPING,
    model,
};
use relay_client::Update;

use crate::stand::Stand;

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn with(text: &str) -> Chat {
    Chat::With(name(text))
}

fn message(id: u64, from: &str, to: &str, text: &str) -> model::Message {
    model::Message {
        id: MessageId(id),
        from: name(from),
        to: Some(name(to)),
        group: None,
        text: text.into(),
        html: None,
        attachments: Vec::new(),
        sent_at_ms: DAY_MS + id * 1000,
        edited_at_ms: None,
        deleted: false,
        client_id: String::new(),
    }
}

fn lunch() -> Group {
    let members = ["Ana", "Ben", "Kim"].map(name).to_vec();
    Group { id: GroupId::new("g"), title: "Sunday lunch".into(), owner: name("Ana"), members }
}

/// Something reaches the screen over the event lane.
fn happen(stand: &mut Stand, event: Event) {
    tell(stand, desk::Message::Relay(Update::Event(event)));
}

fn tell(stand: &mut Stand, message: desk::Message) {
    drop(stand.app.update(Message::Desk(message)));
}

#[test]
fn a_group_is_made_and_written_in() {
    let mut stand = Stand::new(Sample::Home);
    stand.click("New group");
    stand.expect("A new group");
    stand.click("Make the group");
    stand.expect("What is the group to be called?");
    stand.type_into("group-title", "Sunday lunch");
    stand.expect_not("What is the group to be called?");
    let pressed = format!("{:?}", stand.click("Make the group"));
    assert!(pressed.contains("MakePressed"), "{pressed}");
    tell(&mut stand, desk::Message::Groups(desk::groups::Message::Made(Ok(lunch()))));
    stand.expect_not("A new group");
    stand.expect("Ana, Ben, Kim");
    stand.enter_into("draft", "Who brings the cake?");
    stand.expect("Who brings the cake?");
    let written = model::Message { to: None, group: Some(GroupId::new("g")), ..message(2000, "Kim", "Ana", "I do!") };
    happen(&mut stand, Event::Chat { message: written });
    stand.expect("I do!");
    stand.click("zoe.king");
    stand.expect_not("I do!");
    stand.click("Sunday lunch");
    stand.expect("I do!");
    happen(&mut stand, Event::GroupLeft { group: GroupId::new("g") });
    stand.expect_not("I do!");
    stand.expect_not("Sunday lunch");
}

#[test]
fn what_came_while_signed_out_is_counted() {
    let mut stand = Stand::new(Sample::Home);
    let preview = Preview {
        id: MessageId(900),
        from: name("Kim"),
        text: "Call me".into(),
        attachments: 0,
        sent_at_ms: DAY_MS,
        deleted: false,
    };
    let conversation = Conversation { chat: with("Kim"), last: Some(preview), unread: 7, marks: Vec::new() };
    let state = State { conversations: vec![conversation], ..preset::state() };
    tell(&mut stand, desk::Message::Relay(Update::State(state)));
    stand.expect("7");
    happen(&mut stand, Event::Chat { message: message(901, "Kim", "Ana", "Hello?") });
    stand.expect("8");
    let marks = Marks { name: name("Ana"), delivered: MessageId(901), read: MessageId(901), after: None };
    happen(&mut stand, Event::Marks { chat: with("Kim"), marks, unread: Some(0) });
    stand.expect_not("8");
}

#[test]
fn a_window_that_is_not_looked_at_reads_nothing() {
    let mut stand = Stand::new(Sample::Home);
    tell(&mut stand, desk::Message::Focused(false));
    happen(&mut stand, Event::Chat { message: message(900, "Ben", "Ana", "Still there?") });
    stand.expect("1");
    tell(&mut stand, desk::Message::Focused(true));
    stand.expect_not("1");
    stand.expect("Still there?");
}

#[test]
fn ticks_show_how_far_a_message_has_come() {
    let mut stand = Stand::new(Sample::Home);
    let (one, two) = (Icon::Check.unicode().to_string(), Icon::CheckCheck.unicode().to_string());
    happen(&mut stand, Event::Chat { message: message(900, "Ana", "Ben", "Look!") });
    assert!(stand.shows(&one) && !stand.shows(&two));
    let marks = |delivered: u64, read: u64| Marks {
        name: name("Ben"),
        delivered: MessageId(delivered),
        read: MessageId(read),
        after: None,
    };
    happen(&mut stand, Event::Marks { chat: with("Ben"), marks: marks(900, 0), unread: None });
    assert!(stand.shows(&two));
}

#[test]
fn who_is_writing_is_seen_until_they_have_written() {
    let mut stand = Stand::new(Sample::Home);
    let typing = Event::Typing { chat: with("Ben"), name: name("Ben"), expires_in_ms: TYPING.as_millis() as u64 };
    happen(&mut stand, typing.clone());
    stand.expect("Ben is writing\u{2026}");
    happen(&mut stand, Event::Chat { message: message(900, "Ben", "Ana", "Here I am") });
    stand.expect_not("Ben is writing\u{2026}");
    happen(&mut stand, typing);
    tell(&mut stand, desk::Message::Tick(std::time::Instant::now() + TYPING + Duration::from_secs(1), DAY_MS));
    stand.expect_not("Ben is writing\u{2026}");
}

#[test]
fn an_own_message_can_be_changed_and_deleted() {
    let mut stand = Stand::new(Sample::Home);
    happen(&mut stand, Event::Chat { message: message(900, "Ana", "Ben", "frist") });
    stand.click("frist");
    stand.click("Change");
    stand.expect("You are changing what you wrote.");
    stand.click("Leave it as it was");
    stand.expect_not("You are changing what you wrote.");
    let changed = model::Message { edited_at_ms: Some(DAY_MS), ..message(900, "Ana", "Ben", "first") };
    happen(&mut stand, Event::Chat { message: changed });
    stand.expect("first");
    stand.expect("changed");
    stand.expect_not("frist");
    stand.click("first");
    let pressed = format!("{:?}", stand.click("Delete"));
    assert!(pressed.contains("DeletePressed(900)"), "{pressed}");
    happen(&mut stand, Event::Chat { message: model::Message { deleted: true, ..message(900, "Ana", "Ben", "") } });
    stand.expect("Deleted");
    happen(&mut stand, Event::Chat { message: message(901, "Ben", "Ana", "mine") });
    stand.click("mine");
    stand.expect_not("Change");
}

#[test]
fn a_file_goes_along_and_one_that_came_can_be_saved() {
    let mut stand = Stand::new(Sample::Home);
    stand.click(Id::new("attach"));
    let pressed = format!("{:?}", stand.enter_into("attach-path", "/tmp/cake.png"));
    assert!(pressed.contains("PathEntered"), "{pressed}");
    stand.expect("cake.png");
    stand.expect("on its way\u{2026}");
    tell(&mut stand, desk::Message::FileDropped(PathBuf::from("/tmp/recipe.pdf")));
    stand.expect("recipe.pdf");
    let attachment = Attachment {
        id: AttachmentId::new("a"),
        name: "notes.txt".into(),
        kind: "application/octet-stream".into(),
        size: 12_345,
        sha256: Some("x".into()),
    };
    let came = model::Message { attachments: vec![attachment.clone()], ..message(900, "Ben", "Ana", "") };
    happen(&mut stand, Event::Chat { message: came });
    stand.expect("13 kB");
    let pressed = format!("{:?}", stand.click("notes.txt"));
    assert!(pressed.contains("SavePressed"), "{pressed}");
    let gone = Attachment { sha256: None, ..attachment };
    happen(&mut stand, Event::Chat { message: model::Message { attachments: vec![gone], ..message(900, "Ben", "Ana", "") } });
    stand.expect("no longer there");
}
