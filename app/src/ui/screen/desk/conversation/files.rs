//! Files on their way into a message, and out of one; pictures and voice messages as what they are.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use iced::task::Handle;
use media::voice::Clip;
use proto::{AttachmentId, chat::Attachment};

use super::entry::Entry;
use crate::ui::{notice::Notice, picture::Picture};

/// Pictures and voice messages of a conversation that are kept ready: more than a tall window shows.
const PREVIEWS: usize = 48;

/// Those that are fetched at once.
const FETCHING: usize = 2;

/// Largest files that are fetched without being asked for, in bytes.
const PICTURE_MAX: u64 = 8_000_000;
const VOICE_MAX: u64 = 4_000_000;

#[derive(Debug, Default)]
pub struct Files {
    /// What is typed into the field for a path, while it is there.
    field: Option<String>,
    pending: Vec<Pending>,
    next: u64,
    /// Of the newest messages alone.
    previews: HashMap<AttachmentId, Shown>,
    /// Bytes that are here of what is being saved.
    saving: HashMap<AttachmentId, u64>,
}

/// A file that goes along with the next message, or a voice message that is one.
#[derive(Debug)]
pub struct Pending {
    pub key: u64,
    pub name: String,
    pub source: Source,
    pub state: State,
    /// Sends it; ends when this does.
    _task: Option<Handle>,
}

/// Where a file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    /// What was said, Opus in Ogg.
    Voice(Vec<u8>),
}

/// A file as what it is.
#[derive(Debug, Clone)]
pub enum Preview {
    Picture(Picture),
    Voice(Clip),
}

#[derive(Debug)]
pub enum State {
    /// So many bytes of so many are through.
    Sending(u64, u64),
    Ready(Attachment),
    Failed(String),
}

#[derive(Debug)]
enum Shown {
    Fetching,
    Here(Preview),
    /// It can't be shown; it can be saved.
    Never,
}

#[derive(Debug, Clone)]
pub enum Message {
    AttachPressed,
    PathChanged(String),
    PathEntered,
    /// A file was let go over the window.
    Dropped(PathBuf),
    Sent(u64, Step<Attachment>),
    DropPressed(u64),
    AgainPressed(u64),
    SavePressed(Attachment),
    Saved(AttachmentId, Step<PathBuf>),
    Fetched(AttachmentId, Option<Preview>),
    PlayPressed(AttachmentId),
}

/// How a transfer goes.
#[derive(Debug, Clone)]
pub enum Step<T> {
    /// So many bytes of so many are through.
    Through(u64, u64),
    Done(Result<T, Notice>),
}

#[derive(Debug)]
pub enum Action {
    None,
    Upload(u64, Source),
    /// A voice message is there, and goes by itself.
    Send(Attachment),
    Play(AttachmentId, Clip),
    Save(Attachment),
    /// It lies there now.
    SavedAs(PathBuf),
    Trouble(String),
}

impl Files {
    pub fn update(&mut self, message: Message) -> Action {
        match message {
            Message::AttachPressed => {
                self.field = if self.field.is_some() { None } else { Some(String::new()) };
                Action::None
            }
            Message::PathChanged(path) => {
                self.field = Some(path);
                Action::None
            }
            Message::PathEntered => {
                let path = self.field.take().unwrap_or_default();
                // As it is copied from a file manager or a shell.
                let path = path.trim().trim_matches(['"', '\'']);
                let path = path.strip_prefix("file://").unwrap_or(path);
                if path.is_empty() { Action::None } else { self.attach(PathBuf::from(path)) }
            }
            Message::Dropped(path) => self.attach(path),
            Message::Sent(key, step) => {
                let Some(at) = self.pending.iter().position(|pending| pending.key == key) else { return Action::None };
                let pending = &mut self.pending[at];
                pending.state = match step {
                    Step::Through(sent, all) => State::Sending(sent, all),
                    Step::Done(Ok(attachment)) if pending.is_voice() => {
                        self.pending.remove(at);
                        return Action::Send(attachment);
                    }
                    Step::Done(Ok(attachment)) => State::Ready(attachment),
                    Step::Done(Err(notice)) => State::Failed(notice.text),
                };
                Action::None
            }
            Message::AgainPressed(key) => {
                let failed = |pending: &&mut Pending| pending.key == key && matches!(pending.state, State::Failed(_));
                let Some(pending) = self.pending.iter_mut().find(failed) else { return Action::None };
                pending.state = State::Sending(0, 0);
                Action::Upload(key, pending.source.clone())
            }
            Message::DropPressed(key) => {
                self.pending.retain(|pending| pending.key != key);
                Action::None
            }
            Message::SavePressed(attachment) if self.saving.contains_key(&attachment.id) => Action::None,
            Message::SavePressed(attachment) => {
                self.saving.insert(attachment.id.clone(), 0);
                Action::Save(attachment)
            }
            Message::Saved(id, Step::Through(bytes, _)) => {
                self.saving.insert(id, bytes);
                Action::None
            }
            Message::Saved(id, Step::Done(result)) => {
                self.saving.remove(&id);
                match result {
                    Ok(path) => Action::SavedAs(path),
                    Err(notice) => Action::Trouble(notice.text),
                }
            }
            Message::Fetched(id, preview) => {
                // It may have become too old to be kept while it was fetched.
                if let Some(shown) = self.previews.get_mut(&id) {
                    *shown = preview.map_or(Shown::Never, Shown::Here);
                }
                Action::None
            }
            Message::PlayPressed(id) => match self.preview(&id) {
                Some(Preview::Voice(clip)) => Action::Play(id, clip.clone()),
                _ => Action::None,
            },
        }
    }

    fn attach(&mut self, path: PathBuf) -> Action {
        let most = proto::limits::ATTACHMENTS_MAX;
        if self.pending.iter().filter(|pending| !pending.is_voice()).count() >= most {
            return Action::Trouble(format!("A message takes {most} files: send these first."));
        }
        let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        self.begin(name, Source::File(path))
    }

    /// A voice message goes by itself once it is there.
    pub fn speak(&mut self, file: Vec<u8>) -> Action {
        self.begin("Voice message".to_owned(), Source::Voice(file))
    }

    fn begin(&mut self, name: String, source: Source) -> Action {
        self.next += 1;
        self.pending.push(Pending { key: self.next, name, source: source.clone(), state: State::Sending(0, 0), _task: None });
        Action::Upload(self.next, source)
    }

    /// What sends a file, to be broken off when it goes.
    pub fn sent_by(&mut self, key: u64, task: Handle) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.key == key) {
            pending._task = Some(task.abort_on_drop());
        }
    }

    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// Escape.
    pub fn dismiss(&mut self) {
        self.field = None;
    }

    pub fn are_under_way(&self) -> bool {
        self.pending.iter().any(|pending| !pending.is_voice() && matches!(pending.state, State::Sending(..)))
    }

    /// What the next message takes along.
    pub fn ready(&self) -> impl Iterator<Item = &Attachment> {
        self.pending.iter().filter_map(|pending| match &pending.state {
            State::Ready(attachment) => Some(attachment),
            _ => None,
        })
    }

    /// Gives that up to a message; what failed goes, too.
    pub fn take(&mut self) -> Vec<Attachment> {
        let ready = self.ready().cloned().collect();
        self.pending.retain(Pending::is_voice);
        ready
    }

    /// How much is here of what is being saved.
    pub fn saved(&self, id: &AttachmentId) -> Option<u64> {
        self.saving.get(id).copied()
    }

    pub fn preview(&self, id: &AttachmentId) -> Option<&Preview> {
        match self.previews.get(id) {
            Some(Shown::Here(preview)) => Some(preview),
            _ => None,
        }
    }

    /// The pictures and voice messages that are to be fetched now, the newest messages' first.
    pub fn wanted(&mut self, entries: &[Entry]) -> Vec<Attachment> {
        let newest = entries.iter().rev().flat_map(|entry| &entry.attachments).filter(|attachment| is_shown(attachment));
        let newest: Vec<_> = newest.take(PREVIEWS).collect();
        let kept: HashSet<_> = newest.iter().map(|attachment| &attachment.id).collect();
        self.previews.retain(|id, _| kept.contains(id));
        let fetching = self.previews.values().filter(|shown| matches!(shown, Shown::Fetching)).count();
        let wanted = newest.into_iter().filter(|attachment| !self.previews.contains_key(&attachment.id));
        let wanted: Vec<_> = wanted.take(FETCHING.saturating_sub(fetching)).cloned().collect();
        for attachment in &wanted {
            self.previews.insert(attachment.id.clone(), Shown::Fetching);
        }
        wanted
    }
}

impl Pending {
    pub fn is_voice(&self) -> bool {
        matches!(self.source, Source::Voice(_))
    }
}

/// Whether it is shown as what it is.
fn is_shown(attachment: &Attachment) -> bool {
    let most = match attachment.kind.as_str() {
        "image/png" | "image/jpeg" => PICTURE_MAX,
        "audio/ogg" => VOICE_MAX,
        _ => return false,
    };
    attachment.size <= most && attachment.sha256.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(id: &str, kind: &str, size: u64) -> Attachment {
        Attachment { id: AttachmentId::new(id), name: id.into(), kind: kind.into(), size, sha256: Some("x".into()) }
    }

    #[test]
    fn a_file_goes_along_once_it_is_there() {
        let mut files = Files::default();
        files.update(Message::AttachPressed);
        files.update(Message::PathChanged(" '/tmp/a.png' ".into()));
        let Action::Upload(key, path) = files.update(Message::PathEntered) else { panic!("not sent") };
        assert_eq!((path, files.field()), (Source::File("/tmp/a.png".into()), None));
        assert!(files.are_under_way());
        files.update(Message::Sent(key, Step::Through(5, 10)));
        assert!(matches!(files.pending()[0].state, State::Sending(5, 10)));
        let Action::Upload(other, _) = files.update(Message::Dropped("/tmp/b".into())) else { panic!("not sent") };
        files.update(Message::Sent(key, Step::Done(Ok(attachment("a", "image/png", 10)))));
        files.update(Message::Sent(other, Step::Done(Err(Notice::new("too large")))));
        assert!(!files.are_under_way());
        assert_eq!(files.take(), [attachment("a", "image/png", 10)]);
        assert!(files.pending().is_empty());
    }

    #[test]
    fn a_file_that_is_not_wanted_any_more_is_not_sent_on() {
        let mut files = Files::default();
        let Action::Upload(key, _) = files.update(Message::Dropped("/tmp/a".into())) else { panic!("not sent") };
        let (_task, handle) = iced::Task::<()>::future(std::future::pending()).abortable();
        files.sent_by(key, handle.clone());
        files.update(Message::Sent(key, Step::Through(5, 10)));
        assert!(!handle.is_aborted());
        files.update(Message::DropPressed(key));
        assert!(handle.is_aborted());
    }

    #[test]
    fn a_voice_message_goes_by_itself_and_is_not_lost() {
        let mut files = Files::default();
        let Action::Upload(key, Source::Voice(said)) = files.speak(b"Ogg".to_vec()) else { panic!("not sent") };
        assert!(!files.are_under_way(), "what is written needn't wait for it");
        files.update(Message::Sent(key, Step::Done(Err(Notice::new("no network")))));
        assert!(files.take().is_empty());
        let Action::Upload(again, Source::Voice(same)) = files.update(Message::AgainPressed(key)) else { panic!("lost") };
        assert_eq!((again, same), (key, said));
        assert!(matches!(files.update(Message::AgainPressed(key)), Action::None), "it is under way");
        let spoken = attachment("voice", "audio/ogg", 3);
        let Action::Send(sent) = files.update(Message::Sent(key, Step::Done(Ok(spoken.clone())))) else { panic!("kept") };
        assert_eq!(sent, spoken);
        assert!(files.pending().is_empty());
    }

    #[test]
    fn pictures_are_fetched_a_few_at_a_time_and_no_more_than_are_kept() {
        let mut files = Files::default();
        let entry = |index: usize| {
            let of = vec![attachment(&index.to_string(), "image/png", 10), attachment("text", "text/plain", 10)];
            Entry::on_its_way(String::new(), String::new(), of, 0)
        };
        let mut entries: Vec<_> = (0..PREVIEWS + 10).map(entry).collect();
        let mut fetched = 0;
        loop {
            let wanted = files.wanted(&entries);
            assert!(wanted.len() <= FETCHING);
            assert!(files.wanted(&entries).is_empty());
            if wanted.is_empty() {
                break;
            }
            for attachment in wanted {
                fetched += 1;
                files.update(Message::Fetched(attachment.id, None));
            }
        }
        assert_eq!((fetched, files.previews.len()), (PREVIEWS, PREVIEWS));
        // One more takes the place of the oldest, and of none that is shown.
        entries.push(entry(PREVIEWS + 10));
        let wanted: Vec<_> = files.wanted(&entries).into_iter().map(|attachment| attachment.id).collect();
        assert_eq!(wanted, [AttachmentId::new((PREVIEWS + 10).to_string())]);
        assert!(files.wanted(&entries).is_empty());
        assert_eq!(files.previews.len(), PREVIEWS);
        files.update(Message::Fetched(AttachmentId::new("10"), None));
        assert_eq!(files.previews.len(), PREVIEWS, "what has become too old meanwhile is not kept");
        let large = vec![attachment("large", "image/png", PICTURE_MAX + 1)];
        assert!(files.wanted(&[Entry::on_its_way(String::new(), String::new(), large, 0)]).is_empty());
    }
}
