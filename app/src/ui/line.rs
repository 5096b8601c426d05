//! How requests get to the relay, each as a task that brings the answer.

mod transfer;

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use iced::{Subscription, Task};
use media::ScreenTrouble;
use proto::{
    CallId, Chat, ErrorCode, GroupId, InvitationId, MessageId, Name, PeerId, SessionId,
    api::{EditChat, History, Joined, MoveMarks, OwnSession, PageHistory, Rung, SendChat, SetMedia},
    chat::{Attachment, Group},
    model::{Message, OwnPresence},
};
use relay_client::{BrowserSignIn, ProxySettings, Relay, Session, Trust, Update};

use super::{
    net,
    notice::Notice,
    pretend::Pretend,
    screen::{
        checkup,
        desk::{
            conversation::files::{Preview, Source, Step},
            equipment::Lists,
        },
        sign_in::question::Question,
    },
};

pub type Answer<T> = Task<Result<T, Notice>>;

/// The way to the relay of someone who has signed in.
#[derive(Debug, Clone)]
pub enum Line {
    Relay {
        session: Session,
        number: u64,
    },
    /// No relay at all: canned answers, for tests and to look at the screens.
    Pretend(Pretend),
}

impl Line {
    pub fn new(session: Session) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self::Relay { session, number: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    pub fn me(&self) -> &Name {
        match self {
            Self::Relay { session, .. } => session.name(),
            Self::Pretend(pretend) => &pretend.me,
        }
    }

    /// Whether whoever runs the network can read what is said to the relay.
    pub fn is_in_the_clear(&self) -> bool {
        self.session().is_some_and(Session::is_in_the_clear)
    }

    pub fn session(&self) -> Option<&Session> {
        match self {
            Self::Relay { session, .. } => Some(session),
            Self::Pretend(_) => None,
        }
    }

    /// What devices this machine has.
    pub fn devices(&self) -> Task<Lists> {
        match self {
            Self::Relay { .. } => {
                let look = async { tokio::task::spawn_blocking(Lists::now).await.unwrap_or_default() };
                Task::perform(look, std::convert::identity)
            }
            Self::Pretend(pretend) => Task::done(pretend.devices()),
        }
    }

    /// What can be shared of this machine's screen.
    pub fn screens(&self) -> Task<Result<Vec<media::screen::Source>, ScreenTrouble>> {
        match self {
            Self::Relay { .. } => {
                let look = async {
                    let sources = tokio::task::spawn_blocking(media::screen::sources).await;
                    sources.unwrap_or_else(|error| Err(ScreenTrouble::Failed(error.to_string())))
                };
                Task::perform(look, std::convert::identity)
            }
            Self::Pretend(pretend) => Task::done(Ok(pretend.screens())),
        }
    }

    pub fn events(&self) -> Subscription<Update> {
        match self {
            Self::Relay { session, number } => net::events(*number, session),
            Self::Pretend(_) => Subscription::none(),
        }
    }

    /// Rings someone, into a call of this session or into a new one.
    pub fn ring(&self, to: Name, call: Option<CallId>) -> Answer<Rung> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.ring(&to, call).await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.ring(to))),
        }
    }

    pub fn accept(&self, invitation: InvitationId) -> Answer<Joined> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.accept(&invitation).await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.joined())),
        }
    }

    pub fn decline(&self, invitation: InvitationId) -> Answer<()> {
        self.done(async move |session| session.decline(&invitation).await)
    }

    pub fn leave(&self, call: CallId) -> Answer<()> {
        self.done(async move |session| session.leave(&call).await)
    }

    pub fn set_media(&self, call: CallId, media: SetMedia) -> Answer<()> {
        self.done(async move |session| session.set_media(&call, media).await)
    }

    pub fn send(&self, message: SendChat) -> Answer<Message> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.send(&message).await),
            Self::Pretend(pretend) => Task::done(pretend.send(message)),
        }
    }

    pub fn edit(&self, message: MessageId, now: EditChat) -> Answer<Message> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.edit_chat(message, &now).await),
            Self::Pretend(pretend) => Task::done(pretend.edit(message, now)),
        }
    }

    pub fn delete(&self, message: MessageId) -> Answer<Message> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.delete_chat(message).await),
            Self::Pretend(pretend) => Task::done(pretend.delete(message)),
        }
    }

    pub fn move_marks(&self, marks: MoveMarks) -> Answer<()> {
        self.done(async move |session| session.move_marks(&marks).await)
    }

    /// Says that the person writes there; whether it is heard matters to nobody.
    pub fn types(&self, chat: Chat) -> Answer<()> {
        self.done(async move |session| session.types(&chat).await)
    }

    pub fn make_group(&self, title: String, members: Vec<Name>) -> Answer<Group> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.make_group(&title, &members).await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.make_group(title, members))),
        }
    }

    pub fn add_member(&self, group: GroupId, name: Name) -> Answer<Group> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.add_member(&group, &name).await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.make_group("Sunday lunch".into(), vec![name]))),
        }
    }

    pub fn rename_group(&self, group: GroupId, title: String) -> Answer<Group> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.rename_group(&group, &title).await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.make_group(title, Vec::new()))),
        }
    }

    /// Takes someone out of a group, or leaves it.
    pub fn remove_member(&self, group: GroupId, name: Name) -> Answer<()> {
        self.done(async move |session| session.remove_member(&group, &name).await)
    }

    /// Sends a file no larger than the relay takes.
    pub fn upload(&self, source: Source, max: u64) -> Task<Step<Attachment>> {
        match self {
            Self::Relay { session, .. } => transfer::upload(session.clone(), source, max),
            Self::Pretend(pretend) => Task::done(Step::Done(Ok(pretend.upload(&source)))),
        }
    }

    /// Fetches a file and puts it where the person finds it.
    pub fn save(&self, attachment: Attachment) -> Task<Step<PathBuf>> {
        match self {
            Self::Relay { session, .. } => transfer::save(session.clone(), attachment),
            Self::Pretend(_) => Task::done(Step::Done(Ok(PathBuf::from(attachment.name)))),
        }
    }

    /// Fetches a picture or a voice message to be shown.
    pub fn preview(&self, attachment: Attachment) -> Task<Option<Preview>> {
        match self {
            Self::Relay { session, .. } => transfer::preview(session.clone(), attachment),
            Self::Pretend(_) => Task::done(None),
        }
    }

    pub fn history(&self, page: PageHistory) -> Answer<History> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.history(page).await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.history(&page))),
        }
    }

    pub fn add_buddy(&self, name: Name) -> Answer<()> {
        self.done(async move |session| session.add_buddy(&name).await)
    }

    pub fn remove_buddy(&self, name: Name) -> Answer<()> {
        self.done(async move |session| session.remove_buddy(&name).await)
    }

    pub fn set_presence(&self, presence: OwnPresence) -> Answer<()> {
        self.done(async move |session| session.set_presence(&presence).await)
    }

    pub fn block(&self, name: Name) -> Answer<()> {
        self.done(async move |session| session.block(&name).await)
    }

    pub fn unblock(&self, name: Name) -> Answer<()> {
        self.done(async move |session| session.unblock(&name).await)
    }

    pub fn report(&self, name: Name, text: String) -> Answer<()> {
        self.done(async move |session| session.report(&name, &text).await)
    }

    pub fn see_missed(&self, from: Option<Name>, up_to_ms: u64) -> Answer<()> {
        self.done(async move |session| session.see_missed(from.as_ref(), up_to_ms).await)
    }

    /// A link into a call, as people hand it on.
    pub fn call_link(&self, call: CallId) -> Answer<String> {
        match self {
            Self::Relay { session, .. } => {
                ask(session, async move |session| session.call_link(&call).await.map(|link| session.link_text(&link)))
            }
            Self::Pretend(pretend) => Task::done(Ok(pretend.link())),
        }
    }

    pub fn revoke_link(&self, call: CallId) -> Answer<()> {
        self.done(async move |session| session.revoke_link(&call).await)
    }

    /// Into the call with this link.
    pub fn enter(&self, link: &str) -> Answer<Joined> {
        match self {
            Self::Relay { session, .. } => match session.read_link(link) {
                Ok(link) => ask(session, async move |session| session.join(&link).await),
                Err(nonsense) => Task::done(Err(Notice::new(nonsense.to_string()))),
            },
            Self::Pretend(pretend) => Task::done(Ok(pretend.joined())),
        }
    }

    pub fn mute(&self, call: CallId, peer: PeerId) -> Answer<()> {
        self.done(async move |session| session.mute(&call, peer).await)
    }

    pub fn remove(&self, call: CallId, peer: PeerId) -> Answer<()> {
        self.done(async move |session| session.remove(&call, peer).await)
    }

    pub fn lock(&self, call: CallId, locked: bool) -> Answer<()> {
        self.done(async move |session| session.lock(&call, locked).await)
    }

    pub fn sessions(&self) -> Answer<Vec<OwnSession>> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.sessions().await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.sessions())),
        }
    }

    pub fn end_session(&self, id: SessionId) -> Answer<()> {
        self.done(async move |session| session.end_session(&id).await)
    }

    pub fn change_password(&self, old: String, new: String) -> Answer<()> {
        self.done(async move |session| session.change_password(&old, &new).await)
    }

    /// Looks at the way to the relay.
    pub fn examine(&self) -> Task<checkup::Message> {
        match self {
            Self::Relay { session, .. } => checkup::look(session.relay()),
            Self::Pretend(pretend) => Task::done(checkup::Message::Finished(Box::new(pretend.report()))),
        }
    }

    pub fn sign_out(&self) -> Answer<()> {
        self.done(Session::sign_out)
    }

    /// A request with nothing to be told but that it was granted.
    fn done<F>(&self, request: impl FnOnce(Session) -> F + Send + 'static) -> Answer<()>
    where
        F: Future<Output = Result<(), relay_client::Error>> + Send + 'static,
    {
        match self {
            Self::Relay { session, .. } => ask(session, request),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }
}

/// Which relay is meant, how it is reached, and by what it is known.
#[derive(Debug, Clone)]
pub struct Way {
    pub relay: String,
    pub proxy: ProxySettings,
    pub trust: Trust,
    pub last: Last,
}

/// The relay that was asked last: where the way there is the same for the next try, so is what it knows of it. Above all that a proxy has
/// refused a password, which would lock the account if it was sent with each try.
#[derive(Debug, Clone, Default)]
pub struct Last(Arc<Mutex<Option<Known>>>);

#[derive(Debug)]
struct Known {
    address: String,
    proxy: ProxySettings,
    trust: Trust,
    relay: Relay,
}

impl Way {
    fn relay(self) -> Result<Relay, relay_client::Error> {
        let Self { relay: address, proxy, trust, last } = self;
        let mut last = last.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*last
            && (&known.address, &known.proxy, &known.trust) == (&address, &proxy, &trust)
        {
            return Ok(known.relay.clone());
        }
        let relay = Relay::with(&address, trust.clone())?.with_proxy(proxy.clone())?;
        *last = Some(Known { address, proxy, trust, relay: relay.clone() });
        Ok(relay)
    }
}

/// Why someone isn't signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The relay shows a certificate that the person must look at first, an unknown or another one.
    Unknown(Question),
    Told(Notice),
}

impl From<relay_client::Error> for Failure {
    fn from(error: relay_client::Error) -> Self {
        match error {
            relay_client::Error::UnknownCertificate { relay, fingerprint } => {
                Self::Unknown(Question { relay: relay.to_string(), fingerprint, before: None })
            }
            relay_client::Error::CertificateChanged { relay, pinned, found } => {
                Self::Unknown(Question { relay: relay.to_string(), fingerprint: found, before: Some(pinned) })
            }
            error => Self::Told(error.into()),
        }
    }
}

/// Whether an account is to be made first, and by which invitation code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    Known,
    New,
    ByCode(String),
}

/// Signs in, with a new account first if that is wanted.
pub fn sign_in(way: Way, name: Name, password: String, account: Account) -> Task<Result<Session, Failure>> {
    Task::future(async move {
        let relay = way.relay()?;
        let made = match account {
            Account::Known => Ok(()),
            Account::New => relay.sign_up(&name, &password).await,
            Account::ByCode(code) => relay.sign_up_by_code(&name, &password, &code).await,
        };
        if let Err(refused) = made {
            // An earlier try may have made the account and not come further: then the password is this one.
            let own = refused.code() == Some(ErrorCode::NameTaken);
            let session = if own { relay.sign_in(&name, &password, DEVICE).await.ok() } else { None };
            return session.ok_or_else(|| refused.into());
        }
        Ok(relay.sign_in(&name, &password, DEVICE).await?)
    })
}

/// Looks at the way to a relay, or says why that can't be begun.
pub fn examine(way: Way) -> Result<Task<checkup::Message>, String> {
    Ok(checkup::look(way.relay().map_err(|error| error.to_string())?))
}

/// Whom else one can sign in with at a relay, as they are called.
pub fn offer(way: Way) -> Answer<Option<String>> {
    Task::future(async move {
        let offer = way.relay()?.health().await?.oidc;
        Ok(offer.map(|offer| offer.name.chars().filter(|c| !c.is_control()).take(OFFER_MAX).collect()))
    })
}

/// Begins to sign in by the browser.
pub fn begin_by_browser(way: Way) -> Answer<BrowserSignIn> {
    Task::future(async move { Ok(way.relay()?.sign_in_by_browser(DEVICE).await?) })
}

/// Longest name of whom to sign in with, in characters: it stands on a button.
const OFFER_MAX: usize = 40;

/// What the person's list of sessions calls this one.
const DEVICE: &str = concat!("tvphone ", env!("CARGO_PKG_VERSION"), " on ", "desktop");

fn ask<T, F>(session: &Session, request: impl FnOnce(Session) -> F + Send + 'static) -> Answer<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, relay_client::Error>> + Send + 'static,
{
    let request = request(session.clone());
    Task::future(async move { request.await.map_err(Notice::from) })
}

#[cfg(test)]
mod tests {
    use relay_client::{ProxyLogin, ProxySource};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A proxy that likes no password. Gives its address, and counts those that it was shown.
    async fn proxy() -> (String, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shown = Arc::new(AtomicU64::new(0));
        let counted = shown.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(refuse(stream, counted.clone()));
            }
        });
        (address, shown)
    }

    async fn refuse(mut stream: TcpStream, shown: Arc<AtomicU64>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        if String::from_utf8_lossy(&head).to_ascii_lowercase().contains("proxy-authorization") {
            shown.fetch_add(1, Ordering::Relaxed);
        }
        let asks = "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"net\"\r\n";
        let rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{asks}{rest}").as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn a_wrong_password_at_the_proxy_is_not_sent_with_each_try() {
        let (proxy, shown) = proxy().await;
        let last = Last::default();
        let way = |password: &str| {
            let source: ProxySource = proxy.parse().unwrap();
            let proxy = ProxySettings { source, login: Some(ProxyLogin::new("ana", password)) };
            Way { relay: "http://relay.example".to_owned(), proxy, trust: Trust::system(), last: last.clone() }
        };
        for _ in 0..3 {
            assert!(way("wrong").relay().unwrap().health().await.is_err());
        }
        assert_eq!(shown.load(Ordering::Relaxed), 1);
        assert!(way("another").relay().unwrap().health().await.is_err());
        assert_eq!(shown.load(Ordering::Relaxed), 2, "another one is worth a try");
    }
}
