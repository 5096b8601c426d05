//! The bridge from the relay's event lane to messages.

use std::hash::{Hash, Hasher};

use futures::stream::BoxStream;
use iced::Subscription;
use relay_client::{Session, Update};

/// One session's event lane; a new number is a new lane.
struct Lane {
    number: u64,
    session: Session,
}

impl Hash for Lane {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

pub fn events(number: u64, session: &Session) -> Subscription<Update> {
    Subscription::run_with(Lane { number, session: session.clone() }, listen)
}

fn listen(lane: &Lane) -> BoxStream<'static, Update> {
    Box::pin(lane.session.events())
}
