//! What someone's doings in a conversation may tell about them.

use proto::model::{Presence, Relation};

use super::Hub;
use crate::store::{AccountId, Place};

impl Hub {
    /// Whether `other` may learn at once what `who` does in a conversation they share: that a message has reached them, that they have
    /// read it, that they are typing. This is the one place where that is decided.
    ///
    /// All of these say "I am here", so nobody learns them of someone who is offline as far as they know. In a conversation of two both must
    /// still want each other in their lists; a group is enough of a reason by itself.
    pub(crate) fn shows_doings(&self, who: AccountId, other: AccountId, place: &Place) -> bool {
        let control = self.lock();
        let seen = control.people.seen_by(other, who).0.presence != Presence::Offline;
        match place {
            Place::With(_) => seen && control.people.relation(who, other) == Some(Relation::Mutual),
            Place::Group(_) => seen,
        }
    }
}
