//! How far everyone has come in a conversation, and who is writing.

use std::time::Instant;

use proto::{
    Chat, MessageId, Name,
    api::MoveMarks,
    chat::{self, Marks},
};

/// The relay is told that the person writes at most this often, in milliseconds: what it tells the others lasts a little longer.
const SAY_TYPING_EVERY_MS: u64 = 4000;

#[derive(Debug, Default)]
pub struct Progress {
    /// How far the others have come.
    others: Vec<Marks>,
    /// The newest message that is known of.
    newest: u64,
    /// The newest message of someone else that is here, and that the person has seen.
    here: u64,
    seen: u64,
    /// What the relay was told of that.
    told_here: u64,
    told_seen: u64,
    /// The relay is being told.
    telling: bool,
    typing: Vec<(Name, Instant)>,
    said_typing_ms: u64,
}

/// What became of an own message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    Nobody,
    /// Everyone's client has it.
    Delivered,
    /// So many have read it, of so many.
    Read(usize, usize),
}

impl Progress {
    /// As the relay says to a client that has just come.
    pub fn know(&mut self, known: &chat::Conversation, me: &Name) {
        self.newest = self.newest.max(known.last.as_ref().map_or(0, |last| last.id.0));
        self.here = self.here.max(self.newest);
        self.telling = false;
        self.others.clear();
        for marks in &known.marks {
            if marks.name.is(me) {
                (self.told_here, self.told_seen) = (marks.delivered.0, marks.read.0);
            } else {
                self.others.push(marks.clone());
            }
        }
    }

    /// Whether a message is newer than all that is known of.
    pub fn is_new(&self, id: u64) -> bool {
        id > self.newest
    }

    /// A message is here.
    pub fn came(&mut self, id: u64, mine: bool) {
        self.newest = self.newest.max(id);
        self.here = self.here.max(id);
        // Who writes has read what came before; the relay knows.
        if mine {
            self.seen = self.seen.max(id);
            (self.told_here, self.told_seen) = (self.told_here.max(id), self.told_seen.max(id));
        }
    }

    /// The person sees what is here.
    pub fn read(&mut self) {
        self.seen = self.seen.max(self.here);
    }

    /// What the relay is to be told: once what it was told before is answered, so that a flood of messages makes no flood of marks.
    pub fn due(&mut self, chat: &Chat) -> Option<MoveMarks> {
        if self.telling || (self.here <= self.told_here && self.seen <= self.told_seen) {
            return None;
        }
        (self.told_here, self.told_seen) = (self.here.max(self.told_here), self.seen.max(self.told_seen));
        self.telling = true;
        let mark = |id: u64| (id > 0).then_some(MessageId(id));
        Some(MoveMarks { chat: chat.clone(), delivered: mark(self.told_here), read: mark(self.told_seen) })
    }

    /// The relay was told, or was not: then it hears of it with the next one, or when it is there again.
    pub fn marked(&mut self) {
        self.telling = false;
    }

    /// Someone has come further.
    pub fn mark(&mut self, marks: Marks, me: &Name) {
        if marks.name.is(me) {
            self.seen = self.seen.max(marks.read.0);
            (self.told_here, self.told_seen) = (self.told_here.max(marks.delivered.0), self.told_seen.max(marks.read.0));
            return;
        }
        self.others.retain(|known| !known.name.is(&marks.name));
        self.others.push(marks);
    }

    /// How far an own message has come, with so many others there.
    pub fn reached(&self, id: u64, others: usize) -> Reached {
        // Who came later was not sent it.
        let had = |marks: &&Marks| marks.after.is_none_or(|after| after.0 < id);
        let others = others.saturating_sub(self.others.iter().filter(|marks| !had(marks)).count());
        let count = |reached: fn(&Marks) -> u64| self.others.iter().filter(had).filter(|marks| reached(marks) >= id).count();
        match (count(|marks| marks.read.0), count(|marks| marks.delivered.0)) {
            (0, delivered) if delivered > 0 && delivered >= others => Reached::Delivered,
            (0, _) => Reached::Nobody,
            (read, _) => Reached::Read(read, others.max(read)),
        }
    }

    pub fn types(&mut self, name: Name, until: Instant) {
        self.typing.retain(|(known, _)| !known.is(&name));
        self.typing.push((name, until));
    }

    /// Who has written no longer writes.
    pub fn stops_typing(&mut self, name: &Name) {
        self.typing.retain(|(known, _)| !known.is(name));
    }

    /// Who writes at this moment.
    pub fn typing(&self, now: Instant) -> impl Iterator<Item = &Name> {
        self.typing.iter().filter(move |(_, until)| *until > now).map(|(name, _)| name)
    }

    /// Whether anyone may have stopped writing since.
    pub fn is_anyone_typing(&self) -> bool {
        !self.typing.is_empty()
    }

    pub fn forget_typing(&mut self, now: Instant) {
        self.typing.retain(|(_, until)| *until > now);
    }

    /// Whether it is time to say that the person writes.
    pub fn may_say_typing(&mut self, now_ms: u64) -> bool {
        let due = now_ms.saturating_sub(self.said_typing_ms) >= SAY_TYPING_EVERY_MS;
        if due {
            self.said_typing_ms = now_ms;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn marks(of: &str, delivered: u64, read: u64) -> Marks {
        Marks { name: name(of), delivered: MessageId(delivered), read: MessageId(read), after: None }
    }

    #[test]
    fn the_relay_is_told_of_news_and_not_twice() {
        let chat = Chat::With(name("Ben"));
        let mut progress = Progress::default();
        assert_eq!(progress.due(&chat), None);
        progress.came(5, false);
        let due = progress.due(&chat).unwrap();
        assert_eq!((due.delivered, due.read), (Some(MessageId(5)), None));
        progress.came(6, false);
        progress.read();
        assert_eq!(progress.due(&chat), None, "one at a time");
        progress.marked();
        let due = progress.due(&chat).unwrap();
        assert_eq!((due.delivered, due.read), (Some(MessageId(6)), Some(MessageId(6))));
        progress.marked();
        assert_eq!(progress.due(&chat), None);
        progress.came(7, true);
        assert_eq!(progress.due(&chat), None, "the relay knows who writes");
        progress.came(8, false);
        progress.mark(marks("Ana", 8, 8), &name("Ana"));
        assert_eq!(progress.due(&chat), None, "another client of the person's has told it");
    }

    #[test]
    fn an_own_message_is_delivered_to_all_and_read_by_some() {
        let mut progress = Progress::default();
        let me = name("Ana");
        assert_eq!(progress.reached(5, 2), Reached::Nobody);
        progress.mark(marks("Ben", 5, 4), &me);
        assert_eq!(progress.reached(5, 2), Reached::Nobody);
        progress.mark(marks("Eva", 6, 0), &me);
        assert_eq!(progress.reached(5, 2), Reached::Delivered);
        progress.mark(marks("Ben", 5, 5), &me);
        assert_eq!((progress.reached(5, 2), progress.reached(6, 2)), (Reached::Read(1, 2), Reached::Nobody));
        progress.mark(Marks { after: Some(MessageId(5)), ..marks("Kim", 6, 6) }, &me);
        assert_eq!((progress.reached(5, 3), progress.reached(6, 3)), (Reached::Read(1, 2), Reached::Read(1, 3)));
    }

    #[test]
    fn typing_ends_by_itself_or_with_what_was_typed() {
        let (mut progress, now) = (Progress::default(), Instant::now());
        let names = |progress: &Progress, at| progress.typing(at).map(ToString::to_string).collect::<Vec<_>>();
        progress.types(name("Ben"), now + Duration::from_secs(6));
        progress.types(name("Eva"), now + Duration::from_secs(3));
        assert_eq!(names(&progress, now), ["Ben", "Eva"]);
        assert_eq!(names(&progress, now + Duration::from_secs(4)), ["Ben"]);
        progress.stops_typing(&name("ben"));
        progress.forget_typing(now + Duration::from_secs(3));
        assert!(!progress.is_anyone_typing());
        assert!(progress.may_say_typing(10_000) && !progress.may_say_typing(13_999) && progress.may_say_typing(14_000));
    }
}
