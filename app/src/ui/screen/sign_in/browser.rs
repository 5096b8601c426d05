//! Signing in by the browser, at a relay whose organisation has an OpenID provider: the button, and the code to compare meanwhile.

use std::time::Duration;

use iced::{
    Center, Element, Fill, Task,
    task::Handle,
    widget::{button, column, container},
};
use relay_client::{BrowserSignIn, Session};

use crate::ui::{
    line::{self, Way},
    notice::Notice,
    theme::{self, spacing, text},
};

/// An address is asked about once nothing was typed for so long.
const SETTLED: Duration = Duration::from_millis(600);

#[derive(Debug, Default)]
pub struct Browser {
    /// The relay that was asked about last, and what it calls the provider, if it has one.
    relay: String,
    offer: Option<String>,
    stage: Stage,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// The task ends when this does, and so below.
    Beginning { _task: Handle },
    /// The page is open; the task waits for what comes of it.
    Open { sign_in: BrowserSignIn, _task: Handle },
}

#[derive(Debug, Clone)]
pub enum Message {
    /// Nothing was typed for a while.
    Settled(String),
    Offered(String, Option<String>),
    Pressed,
    Begun(Result<BrowserSignIn, Notice>),
    OpenedAgain,
    /// There is no browser that could be started.
    NotOpened,
    Finished(Result<Session, Notice>),
    Cancelled,
}

pub enum Action {
    None,
    Run(Task<Message>),
    SignedIn(Session),
    Failed(String),
}

impl Browser {
    /// Another address stands in the field: what it offers is asked once it stays.
    pub fn relay_changed(&mut self, relay: &str) -> Task<Message> {
        self.offer = None;
        relay.clone_into(&mut self.relay);
        let relay = relay.to_owned();
        Task::future(async move {
            tokio::time::sleep(SETTLED).await;
            Message::Settled(relay)
        })
    }

    /// Asks at once what the relay offers.
    pub fn look(&mut self, relay: &str, way: Option<Way>) -> Task<Message> {
        relay.clone_into(&mut self.relay);
        let way = way.filter(|_| !relay.trim().is_empty());
        way.map_or_else(Task::none, |way| line::offer(way).map(offered(relay)))
    }

    /// Whether a sign-in is under way, so that the form waits.
    pub fn is_busy(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    /// `way` leads to the relay of [`Self::relay_changed`].
    pub fn update(&mut self, message: Message, way: Result<Way, String>) -> Action {
        match message {
            Message::Settled(relay) if relay == self.relay => return Action::Run(self.look(&relay, way.ok())),
            Message::Offered(relay, offer) if relay == self.relay => self.offer = offer,
            Message::Settled(_) | Message::Offered(..) => {}
            Message::Pressed if self.offer.is_some() && !self.is_busy() => {
                let way = match way {
                    Ok(way) => way,
                    Err(error) => return Action::Failed(error),
                };
                let (task, handle) = line::begin_by_browser(way).map(Message::Begun).abortable();
                self.stage = Stage::Beginning { _task: handle.abort_on_drop() };
                return Action::Run(task);
            }
            Message::Pressed => {}
            Message::Begun(Ok(sign_in)) if matches!(self.stage, Stage::Beginning { .. }) => {
                let waits = sign_in.clone();
                let wait = Task::future(async move { waits.wait().await.map_err(Notice::from) });
                let (task, handle) = wait.map(Message::Finished).abortable();
                let open = open(sign_in.clone());
                self.stage = Stage::Open { sign_in, _task: handle.abort_on_drop() };
                return Action::Run(Task::batch([open, task]));
            }
            Message::Begun(Ok(_)) => {}
            Message::OpenedAgain => {
                if let Stage::Open { sign_in, .. } = &self.stage {
                    return Action::Run(open(sign_in.clone()));
                }
            }
            Message::NotOpened => {
                self.stage = Stage::Idle;
                return Action::Failed("The browser could not be started, which is needed for this.".to_owned());
            }
            Message::Finished(Ok(session)) => {
                self.stage = Stage::Idle;
                return Action::SignedIn(session);
            }
            Message::Begun(Err(notice)) | Message::Finished(Err(notice)) => {
                self.stage = Stage::Idle;
                return Action::Failed(notice.text);
            }
            Message::Cancelled => {
                if let Stage::Open { sign_in, .. } = std::mem::take(&mut self.stage) {
                    // The relay forgets by itself what isn't cancelled.
                    return Action::Run(Task::future(async move { drop(sign_in.cancel().await) }).discard());
                }
            }
        }
        Action::None
    }

    /// The button under the form, at a relay that has somebody else to sign in at.
    pub fn button(&self) -> Option<Element<'_, Message>> {
        let name = self.offer.as_deref()?;
        let label = match self.stage {
            Stage::Idle => format!("Sign in with {name}"),
            _ => "One moment\u{2026}".to_owned(),
        };
        let label = container(text::strong(label)).center_x(Fill);
        let press = (!self.is_busy()).then_some(Message::Pressed);
        Some(button(label).width(Fill).padding([spacing::M, spacing::L]).style(theme::button::soft).on_press_maybe(press).into())
    }

    /// What stands in the form's place while the page is open.
    pub fn view(&self) -> Option<Element<'_, Message>> {
        let Stage::Open { sign_in, .. } = &self.stage else { return None };
        Some(code_card(self.offer.as_deref().unwrap_or_default(), sign_in.code()))
    }
}

/// What to compare, and what to do.
fn code_card<'a>(name: &str, code: &'a str) -> Element<'a, Message> {
    let link = |label: &'a str, message| button(text::body(label)).style(theme::button::link).on_press(message);
    column![
        text::strong(format!("Sign in with {name}")),
        text::body("Your browser shows a page with this code. Go on there only if it is the same.").style(text::muted),
        text::display(code),
        link("Open the page again", Message::OpenedAgain),
        button(text::strong("Cancel")).padding([spacing::M, spacing::L]).style(theme::button::soft).on_press(Message::Cancelled),
    ]
    .width(Fill)
    .spacing(spacing::L)
    .align_x(Center)
    .into()
}

fn offered(relay: &str) -> impl Fn(Result<Option<String>, Notice>) -> Message + Send + 'static {
    let relay = relay.to_owned();
    // A relay that can't be asked offers nothing; what is in the way is told once someone signs in.
    move |offer| Message::Offered(relay.clone(), offer.ok().flatten())
}

/// Opens the page. The client has looked that it is one.
fn open(sign_in: BrowserSignIn) -> Task<Message> {
    let opened = Task::future(async move { open::that_detached(sign_in.url()) });
    opened.then(|opened| match opened {
        Ok(()) => Task::none(),
        Err(error) => {
            tracing::warn!(%error, "the browser could not be started");
            Task::done(Message::NotOpened)
        }
    })
}
