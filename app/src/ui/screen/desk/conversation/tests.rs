use proto::MessageId;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn with(text: &str) -> Chat {
    Chat::With(name(text))
}

fn from(sender: &str, id: u64, client_id: &str) -> model::Message {
    let to = if sender == "Ana" { "Ben" } else { "Ana" };
    model::Message {
        id: MessageId(id),
        from: name(sender),
        to: Some(name(to)),
        group: None,
        text: format!("text {id}"),
        html: None,
        attachments: Vec::new(),
        sent_at_ms: id * 1000,
        edited_at_ms: None,
        deleted: false,
        client_id: client_id.into(),
    }
}

fn update(conversation: &mut Conversation, message: Message) -> Action {
    conversation.update(message, &name("Ana"), 5000)
}

fn texts(conversation: &Conversation) -> Vec<&str> {
    conversation.entries.iter().map(|entry| entry.text.as_str()).collect()
}

fn write(conversation: &mut Conversation, text: &str) -> String {
    update(conversation, Message::DraftChanged(text.into()));
    match update(conversation, Message::SendPressed) {
        Action::Send(letter) => letter.client_id,
        _ => panic!("not sent"),
    }
}

#[test]
fn an_own_message_is_one_message_whatever_comes_first() {
    for event_first in [true, false] {
        let mut ana = Conversation::new(with("Ben"));
        let id = write(&mut ana, " hello ");
        assert_eq!((texts(&ana), ana.draft.as_str()), (vec!["hello"], ""));
        let sent = Message::Sent(id.clone(), Ok(from("Ana", 7, &id)));
        if event_first {
            ana.arrive(from("Ana", 7, &id), true, false);
            update(&mut ana, sent);
        } else {
            update(&mut ana, sent);
            ana.arrive(from("Ana", 7, &id), true, false);
        }
        assert_eq!(ana.entries.len(), 1);
        assert_eq!(ana.entries[0].delivery, Delivery::Sent);
        assert_eq!(ana.unread(), 0);
    }
}

#[test]
fn a_failed_message_can_be_sent_again_under_the_same_id() {
    let mut ana = Conversation::new(with("Ben"));
    let id = write(&mut ana, "hello");
    update(&mut ana, Message::Sent(id.clone(), Err(Notice::new("no network"))));
    assert_eq!(ana.entries[0].delivery, Delivery::Failed("no network".into()));
    let Action::Send(letter) = update(&mut ana, Message::RetryPressed(id.clone())) else { panic!("not sent") };
    assert_eq!((letter.client_id, letter.text.as_str()), (id.clone(), "hello"));
    // Pressed twice: it is under way already.
    assert!(matches!(update(&mut ana, Message::RetryPressed(id.clone())), Action::None));
    update(&mut ana, Message::DismissPressed(id.clone()));
    assert_eq!(ana.entries.len(), 1, "not while it is under way");
    update(&mut ana, Message::Sent(id.clone(), Err(Notice::new("no network"))));
    update(&mut ana, Message::DismissPressed(id));
    assert!(ana.entries.is_empty());
}

#[test]
fn messages_stand_in_order_and_once() {
    let mut ana = Conversation::new(with("Ben"));
    assert!(ana.open().is_some());
    assert!(ana.open().is_none());
    let pending = write(&mut ana, "on its way");
    ana.arrive(from("Ben", 9, ""), false, true);
    ana.arrive(from("Ben", 8, ""), false, true);
    let page = PageHistory::newest(with("Ben"));
    let history = History { messages: vec![from("Ben", 7, ""), from("Ben", 8, "")], more: true };
    update(&mut ana, Message::Paged(page, Ok(history)));
    assert_eq!(texts(&ana), ["text 7", "text 8", "text 9", "on its way"]);
    update(&mut ana, Message::Sent(pending.clone(), Ok(from("Ana", 10, &pending))));
    assert_eq!(texts(&ana), ["text 7", "text 8", "text 9", "text 10"]);
}

#[test]
fn older_messages_come_page_by_page() {
    let mut ana = Conversation::new(with("Ben"));
    let first = ana.open().unwrap();
    assert!(matches!(update(&mut ana, Message::OlderPressed), Action::None));
    update(&mut ana, Message::Paged(first, Ok(History { messages: vec![from("Ben", 7, "")], more: true })));
    assert!(matches!(update(&mut ana, Message::Scrolled(500.0)), Action::None));
    let Action::Page(older) = update(&mut ana, Message::Scrolled(0.0)) else { panic!("no page asked for") };
    assert_eq!(older.before, Some(7));
    assert!(matches!(update(&mut ana, Message::Scrolled(0.0)), Action::None), "one page at a time");
    update(&mut ana, Message::Paged(older, Ok(History { messages: vec![from("Ben", 3, "")], more: false })));
    assert!(matches!(update(&mut ana, Message::OlderPressed), Action::None));
    assert_eq!(texts(&ana), ["text 3", "text 7"]);
}

fn page(messages: &[u64], more: bool) -> History {
    History { messages: messages.iter().map(|id| from("Ben", *id, "")).collect(), more }
}

#[test]
fn after_an_absence_the_newest_messages_are_all_there_is() {
    let mut ana = Conversation::new(with("Ben"));
    let first = ana.open().unwrap();
    update(&mut ana, Message::Paged(first.clone(), Ok(page(&[6, 7], false))));
    let pending = write(&mut ana, "on its way");
    ana.outdate();
    assert_eq!(texts(&ana), ["text 6", "text 7", "on its way"], "until others are here");
    let again = ana.fetch().unwrap();
    assert_eq!(again, first);
    assert!(ana.fetch().is_none());
    ana.arrive(from("Ben", 99, ""), false, true);
    let deleted = model::Message { deleted: true, text: String::new(), ..from("Ben", 7, "") };
    let history = History { messages: vec![deleted, from("Ben", 98, "")], more: true };
    update(&mut ana, Message::Paged(again, Ok(history)));
    assert_eq!(texts(&ana), ["", "text 98", "text 99", "on its way"]);
    let Action::Page(older) = update(&mut ana, Message::OlderPressed) else { panic!("no page asked for") };
    assert_eq!(older.before, Some(7));
    // What was asked for before an absence stands in no place after it.
    ana.outdate();
    let again = ana.fetch().unwrap();
    update(&mut ana, Message::Paged(again, Ok(page(&[200, 201], true))));
    update(&mut ana, Message::Paged(older, Ok(page(&[5, 6], false))));
    assert_eq!(texts(&ana), ["text 200", "text 201", "on its way"]);
    update(&mut ana, Message::Sent(pending.clone(), Ok(from("Ana", 202, &pending))));
    assert_eq!(texts(&ana), ["text 200", "text 201", "text 202"]);
}

#[test]
fn what_was_opened_without_a_network_is_fetched_later() {
    let mut ana = Conversation::new(with("Ben"));
    let first = ana.open().unwrap();
    update(&mut ana, Message::Paged(first, Err(Notice::new("no network"))));
    assert_eq!(ana.error.as_deref(), Some("no network"));
    let again = ana.fetch().expect("it is tried again");
    update(&mut ana, Message::Paged(again, Ok(page(&[7], false))));
    assert_eq!((texts(&ana), ana.error.as_deref()), (vec!["text 7"], None));
}

#[test]
fn what_becomes_of_an_old_message_leaves_no_hole() {
    let deleted = |id| model::Message { deleted: true, text: String::new(), ..from("Ben", id, "") };
    let edited = |id| model::Message { edited_at_ms: Some(1), ..from("Ben", id, "") };
    let mut ana = Conversation::new(with("Ben"));
    // Before it was ever opened.
    ana.arrive(edited(3), false, false);
    ana.arrive(from("Ben", 99, ""), false, false);
    let first = ana.open().unwrap();
    update(&mut ana, Message::Paged(first, Ok(page(&[98, 99], true))));
    assert_eq!(texts(&ana), ["text 98", "text 99"]);
    ana.arrive(deleted(4), false, false);
    let Action::Page(older) = update(&mut ana, Message::OlderPressed) else { panic!("no page asked for") };
    assert_eq!(older.before, Some(98));
    ana.arrive(edited(5), false, false);
    update(&mut ana, Message::Paged(older, Ok(page(&[96, 97], true))));
    assert_eq!(texts(&ana), ["text 96", "text 97", "text 98", "text 99"]);
}

#[test]
fn messages_to_two_people_never_share_an_id() {
    let (mut to_ben, mut to_kim) = (Conversation::new(with("Ben")), Conversation::new(with("Kim")));
    assert_ne!(write(&mut to_ben, "hello"), write(&mut to_kim, "hello"));
}

#[test]
fn unread_messages_are_counted_until_the_conversation_is_opened() {
    let mut ana = Conversation::new(with("Ben"));
    ana.arrive(from("Ben", 1, ""), false, false);
    ana.arrive(from("Ben", 1, ""), false, false);
    ana.arrive(from("Ben", 2, ""), false, false);
    assert_eq!(ana.unread(), 2);
    ana.open();
    assert_eq!(ana.unread(), 0);
}

#[test]
fn only_what_is_on_the_screen_is_said_to_be_read() {
    let mut ana = Conversation::new(with("Ben"));
    let first = ana.open().unwrap();
    ana.arrive(from("Ben", 7, ""), false, true);
    ana.read();
    let due = ana.due_marks().unwrap();
    assert_eq!((due.delivered, due.read), (Some(MessageId(7)), None), "what was written before is still on its way");
    update(&mut ana, Message::Marked(Ok(())));
    update(&mut ana, Message::Paged(first, Ok(page(&[6, 7], false))));
    ana.read();
    assert_eq!(ana.due_marks().unwrap().read, Some(MessageId(7)));
}

#[test]
fn a_message_that_is_too_long_stays_in_the_field() {
    let mut ana = Conversation::new(with("Ben"));
    let long = "x".repeat(TEXT_MAX + 1);
    update(&mut ana, Message::DraftChanged(long.clone()));
    assert!(matches!(update(&mut ana, Message::SendPressed), Action::None));
    assert_eq!(ana.draft, long);
    assert!(ana.error.is_some());
}

#[test]
fn what_the_relay_counted_while_nobody_listened_is_not_counted_again() {
    let mut ana = Conversation::new(with("Ben"));
    let last = chat::Preview {
        id: MessageId(8),
        from: name("Ben"),
        text: "text 8".into(),
        attachments: 0,
        sent_at_ms: 8000,
        deleted: false,
    };
    let known = chat::Conversation { chat: with("Ben"), last: Some(last), unread: 2, marks: Vec::new() };
    ana.know(&known, &name("Ana"));
    assert_eq!(ana.unread(), 2);
    ana.arrive(from("Ben", 8, ""), false, false);
    assert_eq!(ana.unread(), 2, "it was told twice");
    assert!(ana.arrive(from("Ben", 9, ""), false, false));
    assert_eq!(ana.unread(), 3);
    ana.mark(Marks { name: name("Ana"), delivered: MessageId(9), read: MessageId(8), after: None }, Some(1), &name("Ana"));
    assert_eq!(ana.unread(), 1, "another client has shown them");
}

#[test]
fn an_own_message_is_changed_in_the_field_and_stays_where_it_is() {
    let mut ana = Conversation::new(with("Ben"));
    ana.arrive(from("Ana", 7, "x"), true, true);
    ana.arrive(from("Ben", 8, ""), false, true);
    update(&mut ana, Message::DraftChanged("half a thought".into()));
    update(&mut ana, Message::EditPressed(8));
    assert_eq!(ana.draft, "half a thought", "others' are not changed");
    update(&mut ana, Message::EditPressed(7));
    assert_eq!(ana.draft, "text 7");
    ana.dismiss();
    assert_eq!(ana.draft, "half a thought");
    update(&mut ana, Message::EditPressed(7));
    update(&mut ana, Message::EditPressed(7));
    update(&mut ana, Message::DraftChanged("text seven".into()));
    let Action::Edit(id, now) = update(&mut ana, Message::SendPressed) else { panic!("not changed") };
    assert_eq!((id, now.text.as_str()), (MessageId(7), "text seven"));
    let changed = model::Message { text: now.text.clone(), edited_at_ms: Some(9), ..from("Ana", 7, "x") };
    assert!(!ana.arrive(changed.clone(), true, false));
    update(&mut ana, Message::Edited(now.text, Ok(changed)));
    assert_eq!((ana.draft.as_str(), ana.editing), ("half a thought", None), "it was only put aside");
    assert_eq!(texts(&ana), ["text seven", "text 8"]);
    let deleted = model::Message { text: String::new(), deleted: true, ..from("Ben", 8, "") };
    assert!(!ana.arrive(deleted, false, false));
    assert_eq!((texts(&ana), ana.unread()), (vec!["text seven", ""], 0));
}

#[test]
fn a_change_that_is_refused_stays_in_the_field_with_the_reason() {
    let mut ana = Conversation::new(with("Ben"));
    ana.arrive(from("Ana", 7, "x"), true, true);
    update(&mut ana, Message::EditPressed(7));
    update(&mut ana, Message::DraftChanged("text seven".into()));
    let Action::Edit(_, now) = update(&mut ana, Message::SendPressed) else { panic!("not changed") };
    update(&mut ana, Message::Edited(now.text, Err(Notice::new("too late"))));
    assert_eq!((ana.draft.as_str(), ana.editing, ana.error.as_deref()), ("text seven", Some(7), Some("too late")));
    // Who goes on typing while it is under way loses nothing of it.
    let Action::Edit(_, now) = update(&mut ana, Message::SendPressed) else { panic!("not changed") };
    update(&mut ana, Message::DraftChanged("text seven, or eight".into()));
    update(&mut ana, Message::Edited(now.text, Ok(from("Ana", 7, "x"))));
    assert_eq!((ana.draft.as_str(), ana.editing), ("text seven, or eight", Some(7)));
}

#[test]
fn files_go_along_with_the_message_even_without_a_word() {
    let mut ana = Conversation::new(with("Ben"));
    let Action::Files(files::Action::Upload(key, _)) = update(&mut ana, Message::Files(files::Message::Dropped("/a.png".into())))
    else {
        panic!("not sent")
    };
    assert!(matches!(update(&mut ana, Message::SendPressed), Action::None));
    assert!(ana.error.is_some(), "not before it is there");
    let attachment =
        Attachment { id: proto::AttachmentId::new("a"), name: "a.png".into(), kind: "image/png".into(), size: 1, sha256: None };
    let sent = files::Message::Sent(key, files::Step::Done(Ok(attachment.clone())));
    update(&mut ana, Message::Files(sent));
    let Action::Send(letter) = update(&mut ana, Message::SendPressed) else { panic!("not sent") };
    assert_eq!((letter.text.as_str(), letter.attachments), ("", vec![attachment.id]));
    assert!(matches!(update(&mut ana, Message::SendPressed), Action::None), "once");
}

#[test]
fn that_one_writes_is_said_now_and_then_and_not_of_a_change() {
    let mut ana = Conversation::new(with("Ben"));
    let type_at = |ana: &mut Conversation, text: &str, at: u64| {
        matches!(ana.update(Message::DraftChanged(text.into()), &name("Ana"), at), Action::Type)
    };
    assert!(type_at(&mut ana, "h", 10_000));
    assert!(!type_at(&mut ana, "he", 12_000));
    assert!(!type_at(&mut ana, "h", 15_000), "taking back is no writing");
    assert!(type_at(&mut ana, "he", 15_000));
    ana.arrive(from("Ana", 7, "x"), true, true);
    update(&mut ana, Message::EditPressed(7));
    assert!(!type_at(&mut ana, "text 7 and more", 30_000));
}
