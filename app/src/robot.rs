//! A caller without a window: the same engine, driven from the command line, with a report at the end.

use std::{path::Path, pin::Pin, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use futures::{Stream, StreamExt, channel::mpsc};
use proto::{
    CallId, Chat, ErrorCode, Event, Name,
    api::{Joined, PageHistory, SetMedia, State},
    model::{self, EndReason, Invitation, InvitationState, Presence},
};
use relay_client::{Relay, Session, Update};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use crate::{cli, engine, random, sending::Sending, signal};

/// What a robot has to say at the end.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether there was a call: accepted, and what the other said they'd send arrived.
    pub happened: bool,
    /// How it ended, or why it did not begin.
    pub outcome: String,
    pub user: Name,
    pub other: Option<Name>,
    /// Length of the call in seconds.
    pub duration_s: f64,
    pub chat_sent: usize,
    pub chat_received: Vec<Said>,
    /// What devices had to complain of, as the person would read it.
    pub troubles: Vec<String>,
    /// The devices that were used, one after the other.
    pub devices: Vec<String>,
    /// What was measured; absent when there was no call.
    #[serde(flatten)]
    pub call: Option<engine::Report>,
}

impl Report {
    fn without_call(options: &cli::Robot, outcome: String) -> Self {
        Self {
            happened: false,
            outcome,
            user: options.user.clone(),
            other: options.call.clone(),
            duration_s: 0.0,
            chat_sent: 0,
            chat_received: Vec::new(),
            troubles: Vec::new(),
            devices: Vec::new(),
            call: None,
        }
    }
}

/// A line of chat as it arrived.
#[derive(Debug, Serialize)]
pub struct Said {
    pub id: u64,
    pub from: Name,
    pub text: String,
}

type Updates = Pin<Box<dyn Stream<Item = Update> + Send>>;

/// Makes or takes one call. The exit status is 0 only if the call happened.
pub async fn run(options: cli::Robot) -> anyhow::Result<ExitCode> {
    let relay = Relay::with(&options.relay, options.certificates.trust()?)?;
    let relay = match options.proxy.settings()? {
        Some(settings) => relay.with_proxy(settings)?,
        None => relay,
    };
    let session = match relay.sign_in(&options.user, &options.password()?, "robot").await {
        Ok(session) => session,
        Err(error) => {
            // An earlier run's report must not stand for this one.
            if let Some(file) = &options.report {
                write(&Report::without_call(&options, error.to_string()), Some(file))?;
            }
            return Err(error.into());
        }
    };
    let report = converse(&options, &session).await;
    if let Err(error) = session.clone().sign_out().await {
        tracing::debug!(%error, "could not sign off");
    }
    let report = report?;
    write(&report, options.report.as_deref())?;
    Ok(if report.happened { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn converse(options: &cli::Robot, session: &Session) -> anyhow::Result<Report> {
    let mut updates: Updates = Box::pin(session.events());
    let mut stop = Box::pin(signal::stopped());
    let mut call = Conversation::new(options, session);
    let begun = tokio::select! {
        begun = tokio::time::timeout(options.patience, call.begin(&mut updates)) => {
            begun.unwrap_or_else(|_| Err(anyhow::anyhow!("nobody answered within {} s", options.patience.as_secs())))
        }
        () = &mut stop => Err(anyhow::anyhow!("stopped before the call began")),
    };
    match begun {
        Ok(joined) => call.hold(joined, &mut updates, stop).await,
        Err(error) => {
            call.give_up().await;
            Ok(call.report(format!("{error:#}"), None))
        }
    }
}

/// One call from ring to end.
struct Conversation<'a> {
    options: &'a cli::Robot,
    session: &'a Session,
    /// The ring that is out.
    ringing: Option<(Invitation, Joined)>,
    other: Option<Name>,
    chat_sent: usize,
    chat_received: Vec<Said>,
    troubles: Vec<String>,
    devices: Vec<String>,
    duration: Duration,
}

impl<'a> Conversation<'a> {
    fn new(options: &'a cli::Robot, session: &'a Session) -> Self {
        Self {
            options,
            session,
            ringing: None,
            other: options.call.clone(),
            chat_sent: 0,
            chat_received: Vec::new(),
            troubles: Vec::new(),
            devices: Vec::new(),
            duration: Duration::ZERO,
        }
    }

    /// Rings, or waits to be rung, until the call is on.
    async fn begin(&mut self, updates: &mut Updates) -> anyhow::Result<Joined> {
        while let Some(update) = updates.next().await {
            let joined = match update {
                Update::State(state) => {
                    let there = state.buddies.iter().any(|buddy| self.is_wanted(&buddy.name, buddy.presence));
                    if let Some(joined) = self.answered_meanwhile(&state) {
                        return Ok(joined);
                    }
                    match state.invitations.into_iter().find(|invitation| self.is_for_me(invitation)) {
                        Some(invitation) => self.accept(invitation).await?,
                        None if there => self.ring().await?,
                        None => None,
                    }
                }
                Update::Event(Event::Presence { name, presence, .. }) if self.is_wanted(&name, presence) => self.ring().await?,
                Update::Event(Event::Roster { buddies })
                    if buddies.iter().any(|buddy| self.is_wanted(&buddy.name, buddy.presence)) =>
                {
                    self.ring().await?
                }
                Update::Event(Event::Invitation { invitation }) if self.is_for_me(&invitation) => self.accept(invitation).await?,
                Update::Event(Event::Invitation { invitation }) => self.answered(&invitation)?,
                Update::Event(Event::Chat { message }) => {
                    self.hear(message);
                    None
                }
                Update::SignedOut { reason } => bail!("signed out: {reason}"),
                _ => None,
            };
            if let Some(joined) = joined {
                return Ok(joined);
            }
        }
        bail!("the relay said no more")
    }

    fn is_wanted(&self, name: &Name, presence: Presence) -> bool {
        let wanted = self.options.call.as_ref().is_some_and(|wanted| wanted.is(name));
        wanted && presence == Presence::Available && self.ringing.is_none()
    }

    fn is_for_me(&self, invitation: &Invitation) -> bool {
        self.options.answer && invitation.state == InvitationState::Ringing && invitation.to.is(self.session.name())
    }

    async fn accept(&mut self, invitation: Invitation) -> anyhow::Result<Option<Joined>> {
        match self.session.accept(&invitation.id).await {
            Ok(joined) => {
                self.other = Some(invitation.from);
                Ok(Some(joined))
            }
            // The caller may have hung up meanwhile; the next one may come.
            Err(error) => {
                tracing::warn!(%error, "could not accept");
                Ok(None)
            }
        }
    }

    async fn ring(&mut self) -> anyhow::Result<Option<Joined>> {
        let Some(to) = &self.options.call else { return Ok(None) };
        match self.session.ring(to, None).await {
            Ok(rung) if rung.invitation.state == InvitationState::Accepted => Ok(Some(rung.joined)),
            Ok(rung) => {
                self.ringing = Some((rung.invitation, rung.joined));
                Ok(None)
            }
            // Busy, just gone or left in peace: the next presence event tells when to ring again.
            Err(error) if matches!(error.code(), Some(ErrorCode::Busy | ErrorCode::Offline | ErrorCode::DoNotDisturb)) => {
                Ok(None)
            }
            Err(error) => Err(error).context("could not ring"),
        }
    }

    fn answered(&mut self, invitation: &Invitation) -> anyhow::Result<Option<Joined>> {
        let Some((_, joined)) = self.ringing.take_if(|(ringing, _)| ringing.id == invitation.id) else { return Ok(None) };
        match invitation.state {
            InvitationState::Accepted => Ok(Some(joined)),
            InvitationState::Ringing => {
                self.ringing = Some((invitation.clone(), joined));
                Ok(None)
            }
            InvitationState::Declined => bail!("{} declined", invitation.to),
            InvitationState::Missed => bail!("{} did not answer", invitation.to),
            _ => bail!("the ring was taken back"),
        }
    }

    /// After an absence: the call that came of the own ring, if one did. A ring the relay no longer knows may be placed again.
    fn answered_meanwhile(&mut self, state: &State) -> Option<Joined> {
        let rings = |(ringing, _): &mut (Invitation, Joined)| state.invitations.iter().any(|known| known.id == ringing.id);
        let (_, joined) = self.ringing.take_if(|ringing| !rings(ringing))?;
        state.call.clone().filter(|call| call.call.id == joined.call.id && call.call.peers.len() > 1)
    }

    async fn give_up(&mut self) {
        if let Some((invitation, _)) = self.ringing.take()
            && let Err(error) = self.session.cancel(&invitation.id).await
        {
            tracing::debug!(%error, "could not take the ring back");
        }
    }

    /// Talks until the time is over, the other hangs up, or the process is told to stop.
    async fn hold(
        &mut self,
        joined: Joined,
        updates: &mut Updates,
        stop: Pin<Box<impl Future<Output = ()>>>,
    ) -> anyhow::Result<Report> {
        let (heard, mut from_engine) = mpsc::unbounded();
        let setup = self.options.setup();
        let mut sending = Sending::new(setup.sends());
        let engine = engine::Engine::start(self.session, &joined, setup, heard);
        let begun = Instant::now();
        let end = self.options.duration.map(|duration| begun + duration);
        let mut call = joined.call;
        let id = call.id.clone();
        let last = self.last_said().await;
        self.promise(&id, sending.promise()).await;
        let mut stop = stop;
        let outcome = match self.say().await {
            Err(error) => format!("{error:#}"),
            Ok(()) => loop {
                tokio::select! {
                    update = updates.next() => {
                        if matches!(update, Some(Update::State(_))) {
                            self.catch_up(last).await;
                        }
                        if let Some(outcome) = self.changed(update, &mut call, &engine) {
                            break outcome;
                        }
                    }
                    Some(update) = from_engine.next() => {
                        self.note(&update);
                        if let Some(promise) = sending.hear(&update) {
                            self.promise(&id, promise).await;
                        }
                    }
                    () = until(end) => break "hung up after the set time".to_owned(),
                    () = &mut stop => break "told to stop".to_owned(),
                }
            },
        };
        self.duration = begun.elapsed();
        let report = engine.report();
        engine.stop();
        if let Err(error) = self.session.leave(&id).await {
            tracing::debug!(%error, "could not leave the call; it may be over already");
        }
        Ok(self.report(outcome, Some((report, call))))
    }

    async fn say(&mut self) -> anyhow::Result<()> {
        let Some(other) = self.other.clone() else { return Ok(()) };
        for text in &self.options.say {
            self.session.send_chat(&other, text, &random::hex()?).await.context("could not send the chat")?;
            self.chat_sent += 1;
        }
        Ok(())
    }

    /// Tells the others what to wait for.
    async fn promise(&self, call: &CallId, promise: SetMedia) {
        if let Err(error) = self.session.set_media(call, promise).await {
            tracing::warn!(%error, "could not tell the others what is sent");
        }
    }

    fn note(&mut self, update: &engine::Update) {
        match update {
            engine::Update::Trouble { device, trouble: Some(trouble) } => {
                tracing::warn!(?device, %trouble, "device trouble");
                self.troubles.push(trouble.to_string());
            }
            engine::Update::Trouble { device, trouble: None } => tracing::debug!(?device, "device works"),
            engine::Update::Screen(Err(trouble)) => {
                tracing::warn!(%trouble, "nothing is shared");
                self.troubles.push(trouble.to_string());
            }
            engine::Update::Screen(Ok(())) => tracing::debug!("the screen is shared"),
            engine::Update::NotRecorded { reason } => {
                self.troubles.push(format!("What is received can't be recorded: {reason}."));
            }
            engine::Update::InUse(device) => {
                let stand_in = if device.stand_in { ", in place of the one that isn't there" } else { "" };
                self.devices.push(format!("{}: {}{stand_in}", device.part, device.name));
            }
            engine::Update::Lanes(health) => tracing::info!(?health, "lanes"),
            engine::Update::HeardBy(peers) => tracing::debug!(?peers, "heard by"),
            engine::Update::PictureStarted(_)
            | engine::Update::ScreenStarted(_)
            | engine::Update::Figures(_)
            | engine::Update::Voices(_) => {}
        }
    }

    /// The newest message before the call.
    async fn last_said(&self) -> u64 {
        let Some(with) = self.other.clone() else { return 0 };
        let newest = PageHistory { limit: Some(1), ..PageHistory::newest(Chat::With(with)) };
        match self.session.history(newest).await {
            Ok(history) => history.messages.last().map_or(0, |message| message.id.0),
            Err(error) => {
                tracing::warn!(%error, "could not ask what was written before");
                0
            }
        }
    }

    /// What was written while the relay could not be reached, after the message numbered `last`.
    async fn catch_up(&mut self, last: u64) {
        let Some(with) = self.other.clone() else { return };
        let mut after = self.chat_received.last().map_or(last, |said| said.id.max(last));
        loop {
            let page = PageHistory { after: Some(after), ..PageHistory::newest(Chat::With(with.clone())) };
            match self.session.history(page).await {
                Ok(history) => {
                    let newest = history.messages.last().map_or(0, |message| message.id.0);
                    let more = history.more;
                    history.messages.into_iter().for_each(|message| self.hear(message));
                    if !more || newest <= after {
                        return;
                    }
                    after = newest;
                }
                Err(error) => {
                    tracing::warn!(%error, "could not ask for missed chat");
                    return;
                }
            }
        }
    }

    fn hear(&mut self, message: model::Message) {
        // Of a group, or changed since: it was not said in this call.
        if message.to.is_none() || message.edited_at_ms.is_some() || message.deleted {
            return;
        }
        let known = self.chat_received.last().is_some_and(|last| message.id.0 <= last.id);
        if !message.from.is(self.session.name()) && !known {
            self.chat_received.push(Said { id: message.id.0, from: message.from, text: message.text });
        }
    }

    /// Takes in what the relay says; gives the outcome if that ends the call.
    fn changed(&mut self, update: Option<Update>, call: &mut model::Call, engine: &engine::Engine) -> Option<String> {
        match update {
            None => Some("the relay said no more".to_owned()),
            Some(Update::SignedOut { reason }) => Some(format!("signed out: {reason}")),
            Some(Update::State(state)) => match state.call {
                Some(joined) if joined.call.id == call.id => {
                    engine.call_changed(call, &joined.call);
                    *call = joined.call;
                    None
                }
                _ => Some("the relay no longer knows the call".to_owned()),
            },
            Some(Update::Event(Event::Call { call: now })) if now.id == call.id => {
                engine.call_changed(call, &now);
                // Who has left stays in the picture for the verdict at the end.
                if now.peers.len() >= call.peers.len() {
                    *call = now;
                }
                None
            }
            Some(Update::Event(Event::CallEnded { call: ended, reason })) if ended == call.id => Some(match reason {
                EndReason::HungUp => "the other hung up".to_owned(),
                other => format!("the call ended: {other:?}").to_lowercase(),
            }),
            Some(Update::Event(Event::Chat { message })) => {
                self.hear(message);
                None
            }
            Some(_) => None,
        }
    }

    fn report(&mut self, outcome: String, call: Option<(engine::Report, model::Call)>) -> Report {
        let happened = call.as_ref().is_some_and(|(report, call)| {
            let others: Vec<_> = call.peers.iter().filter(|peer| !peer.name.is(self.session.name())).collect();
            let promised = |sends: fn(&model::Peer) -> bool| others.iter().any(|peer| sends(peer));
            !others.is_empty()
                && (!promised(|peer| peer.video) || report.video.received > 0)
                && (!promised(|peer| peer.audio) || report.audio.received > 0)
                && (!promised(|peer| peer.screen) || report.screen.received > 0)
        });
        Report {
            happened,
            outcome,
            user: self.session.name().clone(),
            other: self.other.clone(),
            duration_s: self.duration.as_secs_f64(),
            chat_sent: self.chat_sent,
            chat_received: std::mem::take(&mut self.chat_received),
            troubles: std::mem::take(&mut self.troubles),
            devices: std::mem::take(&mut self.devices),
            call: call.map(|(report, _)| report),
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn write(report: &Report, file: Option<&Path>) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    match file {
        Some(file) => std::fs::write(file, text).with_context(|| format!("can't write the report {}", file.display())),
        None => {
            println!("{text}");
            Ok(())
        }
    }
}
