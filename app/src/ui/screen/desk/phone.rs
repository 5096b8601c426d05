//! The telephone: idle, ringing someone, being rung, or in a call. Just one of them at a time.

use proto::{
    CallId, ErrorCode, InvitationId, Name,
    api::{Joined, Rung},
    model::{self, EndReason, Invitation, InvitationState},
};

use super::call::Call;
use crate::ui::{notice::Notice, widget::toast::Kind};

#[expect(clippy::large_enum_variant, reason = "there is just one phone, and its large variant is the busy one")]
pub enum Phone {
    Idle,
    /// This person rings someone, or several.
    Calling(Calling),
    /// Someone rings this person.
    Rung {
        invitation: Invitation,
        answering: bool,
    },
    Talking(Box<Call>),
    /// Nothing came of the ring.
    Over {
        to: Name,
        others: Vec<Name>,
        outcome: Outcome,
    },
}

/// A ring on its way or at the other's.
#[derive(Debug, Clone)]
pub struct Calling {
    pub to: Name,
    /// Who is rung into the same call, once there is one.
    pub others: Vec<Name>,
    placed: Option<Rung>,
    /// What the event lane said before the ring's own answer was here.
    early: Option<Invitation>,
    early_call: Option<model::Call>,
}

impl Calling {
    fn new(to: Name, others: Vec<Name>) -> Self {
        Self { to, others, placed: None, early: None, early_call: None }
    }

    fn over(&self, outcome: Outcome) -> Phone {
        Phone::Over { to: self.to.clone(), others: self.others.clone(), outcome }
    }

    /// Whether it rings at the other's.
    pub fn placed(&self) -> bool {
        self.placed.is_some()
    }
}

/// Why nothing came of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Declined,
    NoAnswer,
    Busy,
    Offline,
    DoNotDisturb,
    Failed(String),
}

#[derive(Debug, Clone)]
pub enum Message {
    Placed(Name, Result<Rung, Notice>),
    Accepted(InvitationId, Result<Joined, Notice>),
    AcceptPressed,
    DeclinePressed,
    CancelPressed,
    AgainPressed,
    ClosePressed,
}

/// What is to be done about a change.
pub enum Step {
    None,
    Tell(Kind, String),
    Ring(Name),
    Accept(InvitationId),
    Decline(InvitationId),
    /// Leaves a call this client is not in, or no longer wants to be in, and says why. Whom it still rings in there rings no more.
    Abandon(CallId, Option<String>),
    Join(Joined),
    /// Other people are in the call now, or they muted.
    Changed,
    Leave(CallId, Box<Call>),
}

impl Phone {
    /// Rings someone, and others into the same call, unless the phone is in use.
    pub fn ring(&mut self, to: Name, others: Vec<Name>) -> Step {
        match self {
            Self::Idle | Self::Over { .. } => {
                *self = Self::Calling(Calling::new(to.clone(), others));
                Step::Ring(to)
            }
            _ => Step::None,
        }
    }

    /// Who is to be rung into the call that is being made.
    pub fn others(&self) -> &[Name] {
        match self {
            Self::Calling(calling) => &calling.others,
            _ => &[],
        }
    }

    /// Whether this is the call it rings into or talks in.
    pub fn is_in(&self, call: &CallId) -> bool {
        match self {
            Self::Calling(Calling { placed: Some(rung), .. }) => rung.joined.call.id == *call,
            Self::Talking(talk) => talk.id() == call,
            _ => false,
        }
    }

    pub fn update(&mut self, message: Message) -> Step {
        match message {
            Message::Placed(to, Ok(rung)) => self.placed(&to, rung),
            Message::Placed(to, Err(notice)) => self.refused(to, notice),
            Message::Accepted(id, result) => self.accepted(&id, result),
            Message::AcceptPressed => self.accept(),
            Message::DeclinePressed if matches!(self, Self::Rung { .. }) => self.hang_up(),
            Message::CancelPressed if matches!(self, Self::Calling(_)) => self.hang_up(),
            Message::AgainPressed => match self {
                Self::Over { to, others, .. } => {
                    let (to, others) = (to.clone(), std::mem::take(others));
                    self.ring(to, others)
                }
                _ => Step::None,
            },
            Message::ClosePressed if matches!(self, Self::Over { .. }) => {
                *self = Self::Idle;
                Step::None
            }
            Message::DeclinePressed | Message::CancelPressed | Message::ClosePressed => Step::None,
        }
    }

    /// Ends whatever is going on.
    pub fn hang_up(&mut self) -> Step {
        match std::mem::replace(self, Self::Idle) {
            Self::Idle | Self::Over { .. } => Step::None,
            // If the ring's answer is still on its way, its call is left once it is here.
            Self::Calling(calling) => calling.placed.map_or(Step::None, |rung| Step::Abandon(rung.joined.call.id, None)),
            Self::Rung { invitation, .. } => Step::Decline(invitation.id),
            Self::Talking(call) => Step::Leave(call.id().clone(), call),
        }
    }

    fn accept(&mut self) -> Step {
        match self {
            Self::Rung { invitation, answering } if !*answering => {
                *answering = true;
                Step::Accept(invitation.id.clone())
            }
            _ => Step::None,
        }
    }

    fn placed(&mut self, to: &Name, rung: Rung) -> Step {
        let calling = match self {
            Self::Calling(calling) if calling.placed.is_none() && calling.to.is(to) => calling,
            // Called off before the relay had answered.
            _ => return Step::Abandon(rung.joined.call.id, None),
        };
        let early = calling.early.take().filter(|early| early.id == rung.invitation.id);
        let early_call = calling.early_call.take().filter(|call| call.id == rung.joined.call.id);
        let (state, joined) = (early.map_or(rung.invitation.state, |early| early.state), rung.joined.clone());
        calling.placed = Some(rung);
        match (state, early_call) {
            (_, Some(call)) => Step::Join(Joined { call, ..joined }),
            // Both rang: that is an answer.
            (InvitationState::Accepted, None) => Step::Join(joined),
            (InvitationState::Ringing, None) => Step::None,
            (state, None) => {
                let outcome = if state == InvitationState::Declined { Outcome::Declined } else { Outcome::NoAnswer };
                *self = calling.over(outcome);
                Step::None
            }
        }
    }

    fn refused(&mut self, to: Name, notice: Notice) -> Step {
        let Self::Calling(calling) = self else { return Step::None };
        if !calling.to.is(&to) {
            return Step::None;
        }
        let outcome = match notice.code {
            Some(ErrorCode::Busy) => Outcome::Busy,
            Some(ErrorCode::Offline) => Outcome::Offline,
            Some(ErrorCode::DoNotDisturb) => Outcome::DoNotDisturb,
            _ => Outcome::Failed(notice.text),
        };
        let mut others = std::mem::take(&mut calling.others);
        *self = Self::Over { to, others: Vec::new(), outcome };
        if others.is_empty() {
            return Step::None;
        }
        // The next one makes the call, then.
        let next = others.remove(0);
        self.ring(next, others)
    }

    fn accepted(&mut self, id: &InvitationId, result: Result<Joined, Notice>) -> Step {
        match (&*self, result) {
            (Self::Rung { invitation, .. }, Ok(joined)) if invitation.id == *id => Step::Join(joined),
            (Self::Rung { invitation, .. }, Err(notice)) if invitation.id == *id => {
                // The relay may have taken the answer and only its own got lost.
                let call = invitation.call.clone();
                *self = Self::Idle;
                Step::Abandon(call, Some(notice.text))
            }
            (Self::Talking(call), Ok(joined)) if *call.id() == joined.call.id => Step::None,
            // Hung up before the relay had answered.
            (_, Ok(joined)) => Step::Abandon(joined.call.id, None),
            (_, Err(_)) => Step::None,
        }
    }

    /// The relay tells how things are, after a time in which events may have been missed.
    pub fn know(&mut self, me: &Name, invitations: &[Invitation], call: Option<&Joined>) -> Step {
        let rings = |id: &InvitationId| invitations.iter().any(|invitation| invitation.id == *id);
        match self {
            Self::Talking(talk) => match call {
                Some(joined) if joined.call.id == *talk.id() => {
                    talk.set_people(joined.call.clone());
                    Step::Changed
                }
                _ => self.ended("The call ended while the connection was away."),
            },
            Self::Calling(calling) if let Some(rung) = &calling.placed => match call {
                Some(joined) if joined.call.id == rung.joined.call.id => match joined.call.peers.len() {
                    // It ends when nobody is rung any more.
                    0 | 1 => Step::None,
                    _ => Step::Join(joined.clone()),
                },
                _ => {
                    *self = calling.over(Outcome::NoAnswer);
                    Step::None
                }
            },
            Self::Rung { invitation, answering: false } if !rings(&invitation.id) => {
                *self = Self::Idle;
                Step::None
            }
            Self::Idle | Self::Over { .. } | Self::Rung { answering: false, .. } if let Some(joined) = call => {
                // Left while the relay could not be told.
                Step::Abandon(joined.call.id.clone(), None)
            }
            Self::Idle | Self::Over { .. } => match invitations.iter().find(|invitation| invitation.to.is(me)) {
                Some(invitation) => self.invitation(me, invitation.clone()),
                None => Step::None,
            },
            Self::Calling(_) | Self::Rung { .. } => Step::None,
        }
    }

    pub fn invitation(&mut self, me: &Name, invitation: Invitation) -> Step {
        let rings = invitation.state == InvitationState::Ringing;
        match self {
            Self::Idle | Self::Over { .. } if rings && invitation.to.is(me) => {
                *self = Self::Rung { invitation, answering: false };
                Step::None
            }
            Self::Rung { invitation: current, answering } if current.id == invitation.id && !rings => {
                // The answer to this client's own request says more.
                if *answering && invitation.state == InvitationState::Accepted {
                    return Step::None;
                }
                *self = Self::Idle;
                match invitation.state {
                    InvitationState::Missed | InvitationState::Canceled => Step::Tell(Kind::News, missed(&invitation.from)),
                    InvitationState::Accepted => Step::Tell(Kind::News, "Answered on another device.".into()),
                    _ => Step::None,
                }
            }
            Self::Talking(call) if invitation.from.is(me) && invitation.call == *call.id() => refusal(&invitation),
            // The event of the call, which comes too, says who is in it or that nobody is rung any more.
            Self::Calling(Calling { placed: Some(rung), others, .. }) if invitation.call == rung.joined.call.id => {
                if others.is_empty() { Step::None } else { refusal(&invitation) }
            }
            Self::Calling(calling) if calling.placed.is_none() && invitation.from.is(me) && calling.to.is(&invitation.to) => {
                calling.early = Some(invitation);
                Step::None
            }
            _ => Step::None,
        }
    }

    pub fn call(&mut self, call: model::Call) -> Step {
        match self {
            Self::Talking(talk) if *talk.id() == call.id => {
                talk.set_people(call);
                Step::Changed
            }
            Self::Calling(calling) if call.peers.len() > 1 => match &calling.placed {
                Some(rung) if rung.joined.call.id == call.id => Step::Join(Joined { call, me: rung.joined.me }),
                Some(_) => Step::None,
                None => {
                    calling.early_call = Some(call);
                    Step::None
                }
            },
            _ => Step::None,
        }
    }

    pub fn call_ended(&mut self, call: &CallId, reason: EndReason) -> Step {
        match self {
            Self::Talking(talk) if talk.id() == call => {
                let who = talk.others();
                match reason {
                    EndReason::Removed => self.ended("The call\u{2019}s owner has removed you from it."),
                    EndReason::HungUp if talk.sent_away() => self.ended("The call is over."),
                    EndReason::Vanished => self.ended(&format!("{who} lost the connection.")),
                    _ => self.ended(&format!("{who} hung up.")),
                }
            }
            Self::Calling(calling) if calling.placed.as_ref().is_some_and(|rung| rung.joined.call.id == *call) => {
                *self = match reason {
                    EndReason::Declined => calling.over(Outcome::Declined),
                    EndReason::Canceled => Self::Idle,
                    _ => calling.over(Outcome::NoAnswer),
                };
                Step::None
            }
            _ => Step::None,
        }
    }

    fn ended(&mut self, text: &str) -> Step {
        match std::mem::replace(self, Self::Idle) {
            Self::Talking(call) => Step::Tell(Kind::News, format!("{text} You talked for {}.", call.lasted())),
            _ => Step::None,
        }
    }
}

/// Says of one of several that they won't come.
fn refusal(invitation: &Invitation) -> Step {
    match invitation.state {
        InvitationState::Declined => Step::Tell(Kind::News, format!("{} declined.", invitation.to)),
        InvitationState::Missed => Step::Tell(Kind::News, format!("{} didn\u{2019}t answer.", invitation.to)),
        _ => Step::None,
    }
}

pub fn missed(from: &Name) -> String {
    format!("You missed a call from {from}.")
}

#[cfg(test)]
mod tests;
