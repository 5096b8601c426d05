//! Calls on now, so that a relay started again finds them with the peers and numbers they had.

use proto::{CallId, PeerId};
use sqlx::Row;

use super::{AccountId, DbConnection, MissedRow, Result, SessionId, Store, people};
use crate::token::TokenHash;

/// A change of a call, or of what comes of calls and polls for people, to be written in the order it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallWrite {
    Opened(CallId),
    Joined(CallId, MemberRow),
    Left(CallId, PeerId),
    Ended(CallId),
    /// Nobody comes in but whom the owner rings.
    Locked(CallId, bool),
    /// Someone stays out, or doesn't any more.
    Barred(CallId, AccountId, bool),
    /// A peer's link counts, in place of an earlier one.
    Linked(CallId, PeerId, TokenHash),
    Unlinked(CallId, PeerId),
    /// A ring came to nothing.
    Missed(MissedRow),
    /// The person of the first account has seen the rings of the second.
    MissedSeen(AccountId, AccountId),
    /// Someone was there for their buddies until then.
    Seen(AccountId, i64),
}

impl CallWrite {
    /// What happened, without to which call.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Joined(..) => "joined",
            Self::Left(..) => "left",
            Self::Ended(_) => "ended",
            Self::Locked(..) => "locked",
            Self::Barred(..) => "barred",
            Self::Linked(..) => "linked",
            Self::Unlinked(..) => "unlinked",
            Self::Missed(_) => "missed",
            Self::MissedSeen(..) => "missed and seen",
            Self::Seen(..) => "seen",
        }
    }
}

/// A peer of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberRow {
    pub(crate) peer: PeerId,
    pub(crate) session: SessionId,
    pub(crate) audio: bool,
    pub(crate) video: bool,
    pub(crate) screen: bool,
    /// By the owner of the call.
    pub(crate) muted: bool,
}

/// A call with its peers.
#[derive(Clone, Debug)]
pub(crate) struct CallRow {
    pub(crate) id: CallId,
    pub(crate) next_peer: u16,
    pub(crate) members: Vec<MemberRow>,
    pub(crate) locked: bool,
    pub(crate) removed: Vec<AccountId>,
    pub(crate) links: Vec<(PeerId, TokenHash)>,
}

impl Store {
    /// Writes the changes in one transaction.
    pub(crate) async fn write_calls(&self, writes: &[CallWrite]) -> Result<()> {
        let mut transaction = self.begin().await?;
        for write in writes {
            match write {
                CallWrite::Opened(call) => {
                    sqlx::query("INSERT INTO calls (id, next_peer) VALUES ($1, 1) ON CONFLICT (id) DO NOTHING")
                        .bind(call.as_str())
                        .execute(&mut *transaction)
                        .await?;
                }
                CallWrite::Joined(call, member) => {
                    // A session that was signed off a moment ago has no row any more: then there is nobody to restore. Nor has a
                    // call whose beginning could not be stored.
                    sqlx::query(
                        "INSERT INTO members (call, peer, session, audio, video, muted, screen)
                         SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT 1 FROM sessions WHERE id = $3)
                         AND EXISTS (SELECT 1 FROM calls WHERE id = $1)
                         ON CONFLICT (call, peer) DO UPDATE SET session = excluded.session, audio = excluded.audio,
                         video = excluded.video, muted = excluded.muted, screen = excluded.screen",
                    )
                    .bind(call.as_str())
                    .bind(i64::from(member.peer.0))
                    .bind(member.session.0)
                    .bind(i64::from(member.audio))
                    .bind(i64::from(member.video))
                    .bind(i64::from(member.muted))
                    .bind(i64::from(member.screen))
                    .execute(&mut *transaction)
                    .await?;
                    sqlx::query("UPDATE calls SET next_peer = $1 WHERE id = $2 AND next_peer < $1")
                        .bind(i64::from(member.peer.0) + 1)
                        .bind(call.as_str())
                        .execute(&mut *transaction)
                        .await?;
                }
                CallWrite::Left(call, peer) => {
                    sqlx::query("DELETE FROM members WHERE call = $1 AND peer = $2")
                        .bind(call.as_str())
                        .bind(i64::from(peer.0))
                        .execute(&mut *transaction)
                        .await?;
                }
                CallWrite::Ended(call) => {
                    sqlx::query("DELETE FROM calls WHERE id = $1").bind(call.as_str()).execute(&mut *transaction).await?;
                }
                CallWrite::Locked(call, locked) => {
                    sqlx::query("UPDATE calls SET locked = $2 WHERE id = $1")
                        .bind(call.as_str())
                        .bind(i64::from(*locked))
                        .execute(&mut *transaction)
                        .await?;
                }
                CallWrite::Barred(call, account, out) => bar(&mut transaction, call, *account, *out).await?,
                CallWrite::Linked(call, peer, hash) => link(&mut transaction, call, *peer, hash).await?,
                CallWrite::Unlinked(call, peer) => {
                    sqlx::query("DELETE FROM links WHERE call = $1 AND peer = $2")
                        .bind(call.as_str())
                        .bind(i64::from(peer.0))
                        .execute(&mut *transaction)
                        .await?;
                }
                CallWrite::Missed(row) => people::missed(&mut transaction, *row).await?,
                CallWrite::MissedSeen(account, caller) => people::missed_seen(&mut transaction, *account, *caller).await?,
                CallWrite::Seen(account, at_ms) => people::seen(&mut transaction, *account, *at_ms).await?,
            }
        }
        transaction.commit().await
    }

    /// The calls that were on.
    pub(crate) async fn calls(&self) -> Result<Vec<CallRow>> {
        let calls = sqlx::query("SELECT id, next_peer, locked FROM calls").fetch_all(&self.writer).await?;
        let mut rows = Vec::new();
        for call in calls {
            let id: String = call.try_get(0)?;
            let members =
                sqlx::query("SELECT peer, session, audio, video, muted, screen FROM members WHERE call = $1 ORDER BY peer")
                    .bind(&id)
                    .fetch_all(&self.writer)
                    .await?;
            let members = members
                .iter()
                .map(|row| {
                    let flag = |at: usize| -> Result<bool> { Ok(row.try_get::<i64, _>(at)? != 0) };
                    let (peer, session) = (peer(row.try_get(0)?), SessionId(row.try_get(1)?));
                    Ok(MemberRow { peer, session, audio: flag(2)?, video: flag(3)?, muted: flag(4)?, screen: flag(5)? })
                })
                .collect::<Result<Vec<_>>>()?;
            let next_peer = call.try_get::<i64, _>(1)?.try_into().unwrap_or(u16::MAX);
            let locked = call.try_get::<i64, _>(2)? != 0;
            let (removed, links) = (self.removed_from(&id).await?, self.links_into(&id).await?);
            rows.push(CallRow { id: CallId::new(id), next_peer, members, locked, removed, links });
        }
        Ok(rows)
    }

    async fn removed_from(&self, call: &str) -> Result<Vec<AccountId>> {
        let rows = sqlx::query("SELECT account FROM removed WHERE call = $1").bind(call).fetch_all(&self.writer).await?;
        rows.iter().map(|row| Ok(AccountId(row.try_get(0)?))).collect()
    }

    async fn links_into(&self, call: &str) -> Result<Vec<(PeerId, TokenHash)>> {
        let rows = sqlx::query("SELECT peer, link FROM links WHERE call = $1").bind(call).fetch_all(&self.writer).await?;
        rows.iter()
            .map(|row| {
                let hash: Vec<u8> = row.try_get(1)?;
                let hash = hash.try_into().map_err(|_| sqlx::Error::Decode("a link's hash has 32 bytes".into()))?;
                Ok((peer(row.try_get(0)?), TokenHash(hash)))
            })
            .collect()
    }
}

async fn bar(connection: &mut DbConnection, call: &CallId, account: AccountId, out: bool) -> Result<()> {
    // As with members: what is not there any more has nobody to keep out.
    let sql = if out {
        "INSERT INTO removed (call, account) SELECT calls.id, accounts.id FROM calls JOIN accounts ON accounts.id = $2
         WHERE calls.id = $1 ON CONFLICT (call, account) DO NOTHING"
    } else {
        "DELETE FROM removed WHERE call = $1 AND account = $2"
    };
    sqlx::query(sql).bind(call.as_str()).bind(account.0).execute(connection).await?;
    Ok(())
}

async fn link(connection: &mut DbConnection, call: &CallId, peer: PeerId, hash: &TokenHash) -> Result<()> {
    sqlx::query(
        "INSERT INTO links (call, peer, link) SELECT id, $2, $3 FROM calls WHERE id = $1
         ON CONFLICT (call, peer) DO UPDATE SET link = excluded.link",
    )
    .bind(call.as_str())
    .bind(i64::from(peer.0))
    .bind(&hash.0[..])
    .execute(connection)
    .await?;
    Ok(())
}

fn peer(number: i64) -> PeerId {
    PeerId(number.try_into().unwrap_or(u16::MAX))
}
