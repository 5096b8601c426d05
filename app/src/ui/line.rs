//! How requests get to the relay, each as a task that brings the answer.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
};

use iced::{Subscription, Task};
use proto::{
    CallId, ErrorCode, InvitationId, Name,
    api::{History, Joined, PageHistory, Rung, SetMedia},
    model::Message,
};
use relay_client::{Relay, Session, Trust, Update};

use super::{net, notice::Notice, pretend::Pretend, screen::sign_in::question::Question};

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
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.decline(&invitation).await),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }

    pub fn cancel(&self, invitation: InvitationId) -> Answer<()> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.cancel(&invitation).await),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }

    pub fn leave(&self, call: CallId) -> Answer<()> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.leave(&call).await),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }

    pub fn set_media(&self, call: CallId, media: SetMedia) -> Answer<()> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.set_media(&call, media).await),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }

    pub fn send_chat(&self, to: Name, text: String, client_id: String) -> Answer<Message> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.send_chat(&to, &text, &client_id).await),
            Self::Pretend(pretend) => Task::done(pretend.send_chat(to, text, client_id)),
        }
    }

    pub fn history(&self, page: PageHistory) -> Answer<History> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.history(page).await),
            Self::Pretend(pretend) => Task::done(Ok(pretend.history(&page))),
        }
    }

    pub fn add_buddy(&self, name: Name) -> Answer<()> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.add_buddy(&name).await),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }

    pub fn remove_buddy(&self, name: Name) -> Answer<()> {
        match self {
            Self::Relay { session, .. } => ask(session, async move |session| session.remove_buddy(&name).await),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }

    pub fn sign_out(&self) -> Answer<()> {
        match self {
            Self::Relay { session, .. } => ask(session, Session::sign_out),
            Self::Pretend(_) => Task::done(Ok(())),
        }
    }
}

/// Why someone isn't signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The relay shows a certificate that the person must look at first.
    Unknown(Question),
    Told(Notice),
}

impl From<relay_client::Error> for Failure {
    fn from(error: relay_client::Error) -> Self {
        match error {
            relay_client::Error::UnknownCertificate { relay, fingerprint } => {
                Self::Unknown(Question { relay: relay.to_string(), fingerprint })
            }
            error => Self::Told(error.into()),
        }
    }
}

/// Signs in, with a new account first if that is wanted.
pub fn sign_in(relay: String, name: Name, password: String, new: bool, trust: Trust) -> Task<Result<Session, Failure>> {
    Task::future(async move {
        let relay = Relay::with(&relay, trust)?;
        if new && let Err(refused) = relay.sign_up(&name, &password).await {
            // An earlier try may have made the account and not come further: then the password is this one.
            let own = refused.code() == Some(ErrorCode::NameTaken);
            let session = if own { relay.sign_in(&name, &password, DEVICE).await.ok() } else { None };
            return session.ok_or_else(|| refused.into());
        }
        Ok(relay.sign_in(&name, &password, DEVICE).await?)
    })
}

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
