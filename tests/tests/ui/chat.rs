//! Conversations as they are seen: groups, unread messages, marks, who is writing, changes, files.

use std::{path::PathBuf, time::Duration};

use app::ui::{
    icon::Icon,
    notice::Notice,
    preset::{self, Sample},
    pretend::DAY_MS,
    screen::desk::{
        self,
        conversation::{self, files},
    },
};
use iced::widget::Id;
use media::{
    MicrophoneSpec,
    voice::{Clip, Recording},
};
use proto::{
    AttachmentId, Chat, Event, GroupId, MessageId,
    api::State,
    chat::{Attachment, Conversation, Group, Marks, Preview},
    limits::TYPING,
    model,
};
use relay_client::Update;

use crate::stand::{Stand, name};

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
    stand.tell(desk::Message::Groups(desk::groups::Message::Made(Ok(lunch()))));
    stand.expect_not("A new group");
    stand.expect("Ana, Ben, Kim");
    stand.enter_into("draft", "Who brings the cake?");
    stand.expect("Who brings the cake?");
    let written = model::Message { to: None, group: Some(GroupId::new("g")), ..message(2000, "Kim", "Ana", "I do!") };
    stand.happen(Event::Chat { message: written });
    stand.expect("I do!");
    stand.click("zoe.king");
    stand.expect_not("I do!");
    stand.click("Sunday lunch");
    stand.expect("I do!");
    stand.happen(Event::GroupLeft { group: GroupId::new("g") });
    stand.expect_not("I do!");
    stand.expect_not("Sunday lunch");
}

#[test]
fn the_owner_of_a_group_renames_it_and_takes_members_out() {
    let mut stand = Stand::new(Sample::Home);
    stand.happen(Event::Group { group: lunch() });
    stand.click("Sunday lunch");
    stand.click(Id::new("group-menu"));
    assert!(stand.click("Rename").is_empty(), "it is called that");
    let pressed = format!("{:?}", stand.enter_into("group-new-title", "!"));
    assert!(pressed.contains("RenamePressed"), "{pressed}");
    stand.happen(Event::Group { group: Group { title: "Sunday lunch!".into(), ..lunch() } });
    stand.expect("Sunday lunch!");
    stand.click(Icon::UserX.unicode().to_string().as_str());
    stand.expect("Take Ben out? They can read nothing of the group any more.");
    stand.click("Keep");
    stand.expect_not("Take out");
    stand.click(Icon::UserX.unicode().to_string().as_str());
    let pressed = format!("{:?}", stand.click("Take out"));
    assert!(pressed.contains("RemoveMeant"), "{pressed}");
    stand.happen(Event::Group { group: Group { owner: name("Kim"), ..lunch() } });
    stand.expect_not("Rename");
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
    stand.tell(desk::Message::Relay(Update::State(state)));
    stand.expect("7");
    stand.happen(Event::Chat { message: message(901, "Kim", "Ana", "Hello?") });
    stand.expect("8");
    let marks = Marks { name: name("Ana"), delivered: MessageId(901), read: MessageId(901), after: None };
    stand.happen(Event::Marks { chat: with("Kim"), marks, unread: Some(0) });
    stand.expect_not("8");
}

#[test]
fn a_window_that_is_not_looked_at_reads_nothing() {
    let mut stand = Stand::new(Sample::Home);
    stand.tell(desk::Message::Focused(false));
    stand.happen(Event::Chat { message: message(900, "Ben", "Ana", "Still there?") });
    stand.expect("1");
    stand.tell(desk::Message::Focused(true));
    stand.expect_not("1");
    stand.expect("Still there?");
}

#[test]
fn ticks_show_how_far_a_message_has_come() {
    let mut stand = Stand::new(Sample::Home);
    let (one, two) = (Icon::Check.unicode().to_string(), Icon::CheckCheck.unicode().to_string());
    stand.happen(Event::Chat { message: message(900, "Ana", "Ben", "Look!") });
    assert!(stand.shows(&one) && !stand.shows(&two));
    let marks = |delivered: u64, read: u64| Marks {
        name: name("Ben"),
        delivered: MessageId(delivered),
        read: MessageId(read),
        after: None,
    };
    stand.happen(Event::Marks { chat: with("Ben"), marks: marks(900, 0), unread: None });
    assert!(stand.shows(&two));
}

#[test]
fn who_is_writing_is_seen_until_they_have_written() {
    let mut stand = Stand::new(Sample::Home);
    let typing = Event::Typing { chat: with("Ben"), name: name("Ben"), expires_in_ms: TYPING.as_millis() as u64 };
    stand.happen(typing.clone());
    stand.expect("Ben is writing\u{2026}");
    stand.happen(Event::Chat { message: message(900, "Ben", "Ana", "Here I am") });
    stand.expect_not("Ben is writing\u{2026}");
    stand.happen(typing);
    stand.tell(desk::Message::Tick(std::time::Instant::now() + TYPING + Duration::from_secs(1), DAY_MS));
    stand.expect_not("Ben is writing\u{2026}");
}

#[test]
fn an_own_message_can_be_changed_and_deleted() {
    let mut stand = Stand::new(Sample::Home);
    stand.happen(Event::Chat { message: message(900, "Ana", "Ben", "frist") });
    stand.click("frist");
    stand.click("Change");
    stand.expect("You are changing what you wrote.");
    stand.click("Leave it as it was");
    stand.expect_not("You are changing what you wrote.");
    let changed = model::Message { edited_at_ms: Some(DAY_MS), ..message(900, "Ana", "Ben", "first") };
    stand.happen(Event::Chat { message: changed });
    stand.expect("first");
    stand.expect("changed");
    stand.expect_not("frist");
    stand.click("first");
    let pressed = format!("{:?}", stand.click("Delete"));
    assert!(pressed.contains("DeletePressed(900)"), "{pressed}");
    stand.happen(Event::Chat { message: model::Message { deleted: true, ..message(900, "Ana", "Ben", "") } });
    stand.expect("Deleted");
    stand.happen(Event::Chat { message: message(901, "Ben", "Ana", "mine") });
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
    stand.tell(desk::Message::FileDropped(PathBuf::from("/tmp/recipe.pdf")));
    stand.expect("recipe.pdf");
    let attachment = Attachment {
        id: AttachmentId::new("a"),
        name: "notes.txt".into(),
        kind: "application/octet-stream".into(),
        size: 12_345,
        sha256: Some("x".into()),
    };
    let came = model::Message { attachments: vec![attachment.clone()], ..message(900, "Ben", "Ana", "") };
    stand.happen(Event::Chat { message: came });
    stand.expect("13 kB");
    let pressed = format!("{:?}", stand.click("notes.txt"));
    assert!(pressed.contains("SavePressed"), "{pressed}");
    let gone = Attachment { sha256: None, ..attachment };
    stand.happen(Event::Chat { message: model::Message { attachments: vec![gone], ..message(900, "Ben", "Ana", "") } });
    stand.expect("no longer there");
}

/// What someone said, for a moment.
fn said() -> Vec<u8> {
    let recording = Recording::start(&MicrophoneSpec::Chirp).expect("a thread");
    while recording.lasted() < Duration::from_millis(1_200) {
        assert!(recording.trouble().is_none());
        std::thread::yield_now();
    }
    recording.finish().expect("it is coded")
}

#[test]
fn a_voice_message_is_spoken_sent_and_heard() {
    let mut stand = Stand::new(Sample::Home);
    let converse = |stand: &mut Stand, message| stand.tell(desk::Message::Conversation(with("Ben"), message));
    stand.click(Id::new("record"));
    stand.expect("Recording 0:00 (at most 5:00)");
    stand.click(Id::new("record-cancel"));
    stand.expect_not("Recording 0:00 (at most 5:00)");
    stand.click(Id::new("record"));
    stand.click("zoe.king");
    stand.click("Ben");
    stand.expect("Recorded 0:00");
    stand.click(Id::new("record-cancel"));

    let file = said();
    converse(&mut stand, conversation::Message::Recorded(Ok(file.clone())));
    let sent = |step| conversation::Message::Files(files::Message::Sent(1, step));
    converse(&mut stand, sent(files::Step::Done(Err(Notice::new("No network.")))));
    stand.expect("No network.");
    let pressed = format!("{:?}", stand.click(Icon::RotateCw.unicode().to_string().as_str()));
    assert!(pressed.contains("AgainPressed"), "{pressed}");
    let attachment = Attachment {
        id: AttachmentId::new("voice"),
        name: "Voice message.ogg".into(),
        kind: "audio/ogg".into(),
        size: file.len() as u64,
        sha256: Some("x".into()),
    };
    converse(&mut stand, sent(files::Step::Done(Ok(attachment.clone()))));
    stand.expect("Voice message.ogg");
    stand.expect("sending\u{2026}");

    let clip = Clip::read(&file).expect("a voice message");
    let fetched = files::Message::Fetched(attachment.id, Some(files::Preview::Voice(clip)));
    converse(&mut stand, conversation::Message::Files(fetched));
    stand.expect("Voice message, 0:01");
    stand.click(Icon::Play.unicode().to_string().as_str());
    stand.expect("0:00 of 0:01");
    stand.click(Icon::Square.unicode().to_string().as_str());
    stand.expect("Voice message, 0:01");
}

#[test]
fn a_call_has_the_microphone_for_itself() {
    let mut stand = Stand::new(Sample::InCall);
    stand.click(Id::new("record"));
    stand.expect("The call has the microphone: record once it is over.");
}
