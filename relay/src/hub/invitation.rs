//! The life of one invitation: it rings, and ends in one of four ways, once.

use std::time::{Duration, Instant};

use proto::{
    CallId, InvitationId,
    limits::RING,
    model::{Invitation as Shown, InvitationState},
};

use super::switchboard::Who;
use crate::store::{AccountId, SessionId};

/// What can happen to a ringing invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Accept,
    Decline,
    Cancel,
    TimeOut,
}

/// It was over before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over(pub(crate) InvitationState);

/// One person asks another into a call.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    pub(crate) id: InvitationId,
    pub(crate) call: CallId,
    pub(crate) from: Who,
    pub(crate) to: AccountId,
    state: InvitationState,
    rings_until: Instant,
    over_since: Option<Instant>,
    /// The requests that led here, by who sent them and their own ids: each may be sent again.
    asked: Vec<(SessionId, String)>,
}

impl Invitation {
    pub(crate) fn new(id: InvitationId, call: CallId, from: Who, to: AccountId, now: Instant) -> Self {
        Self { id, call, from, to, state: InvitationState::Ringing, rings_until: now + RING, over_since: None, asked: Vec::new() }
    }

    pub(crate) fn state(&self) -> InvitationState {
        self.state
    }

    /// Notes a request that led here.
    pub(crate) fn asked_by(&mut self, session: SessionId, client_id: Option<&str>) {
        let new = client_id.filter(|client_id| !self.was_asked_by(session, client_id));
        self.asked.extend(new.map(|client_id| (session, client_id.to_owned())));
    }

    /// Whether that request led here.
    pub(crate) fn was_asked_by(&self, session: SessionId, client_id: &str) -> bool {
        self.asked.iter().any(|(by, id)| *by == session && id == client_id)
    }

    pub(crate) fn rings(&self) -> bool {
        self.state == InvitationState::Ringing
    }

    /// Whether it should have been answered by now.
    pub(crate) fn is_late(&self, now: Instant) -> bool {
        self.rings() && now >= self.rings_until
    }

    /// Whether it has been over for `long`.
    pub(crate) fn is_stale(&self, now: Instant, long: Duration) -> bool {
        self.over_since.is_some_and(|since| now.saturating_duration_since(since) >= long)
    }

    /// Goes on. One that is over stays as it is; a late one can't be accepted any more, and is missed at its next time out.
    pub(crate) fn step(&mut self, step: Step, now: Instant) -> Result<(), Over> {
        if !self.rings() {
            return Err(Over(self.state));
        }
        if step == Step::Accept && self.is_late(now) {
            return Err(Over(InvitationState::Missed));
        }
        self.state = match step {
            Step::Accept => InvitationState::Accepted,
            Step::Decline => InvitationState::Declined,
            Step::Cancel => InvitationState::Canceled,
            Step::TimeOut => InvitationState::Missed,
        };
        self.over_since = Some(now);
        Ok(())
    }

    /// As the people see it.
    pub(crate) fn shown(&self, from: proto::Name, to: proto::Name, now: Instant) -> Shown {
        let left = if self.rings() { self.rings_until.saturating_duration_since(now) } else { Duration::ZERO };
        Shown {
            id: self.id.clone(),
            call: self.call.clone(),
            from,
            to,
            state: self.state,
            expires_in_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ringing(now: Instant) -> Invitation {
        let from = Who { session: SessionId(1), account: AccountId(1) };
        Invitation::new(InvitationId::new("i"), CallId::new("c"), from, AccountId(2), now)
    }

    #[test]
    fn each_step_has_its_end() {
        let now = Instant::now();
        for (step, state) in [
            (Step::Accept, InvitationState::Accepted),
            (Step::Decline, InvitationState::Declined),
            (Step::Cancel, InvitationState::Canceled),
            (Step::TimeOut, InvitationState::Missed),
        ] {
            let mut invitation = ringing(now);
            assert_eq!(invitation.step(step, now), Ok(()));
            assert_eq!(invitation.state, state);
        }
    }

    #[test]
    fn it_can_be_accepted_until_the_last_moment_and_not_after() {
        let now = Instant::now();
        assert!(!ringing(now).is_late(now + RING - Duration::from_millis(1)));
        assert_eq!(ringing(now).step(Step::Accept, now + RING - Duration::from_millis(1)), Ok(()));
        assert_eq!(ringing(now).step(Step::Accept, now + RING), Err(Over(InvitationState::Missed)));
    }

    proptest! {
        #[test]
        fn it_ends_once(steps in prop::collection::vec((0_usize..4, 0_u64..60), 1..20)) {
            let mut now = Instant::now();
            let mut invitation = ringing(now);
            let mut end = None;
            for (step, seconds) in steps {
                now += Duration::from_secs(seconds);
                let step = [Step::Accept, Step::Decline, Step::Cancel, Step::TimeOut][step];
                let result = invitation.step(step, now);
                match end {
                    None if step == Step::Accept && invitation.is_late(now) => {
                        prop_assert_eq!(result, Err(Over(InvitationState::Missed)));
                        continue;
                    }
                    None => end = Some(invitation.state),
                    Some(end) => {
                        prop_assert_eq!(result, Err(Over(end)));
                        prop_assert_eq!(invitation.state, end);
                    }
                }
                prop_assert!(!invitation.rings());
            }
        }
    }
}
