//! Calls on now, so that a relay started again finds them with the peers and numbers they had.

use proto::{CallId, PeerId};
use sqlx::Row;

use super::{Result, SessionId, Store};

/// A change of a call, to be written in the order it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallWrite {
    Opened(CallId),
    Joined(CallId, MemberRow),
    Left(CallId, PeerId),
    Ended(CallId),
}

impl CallWrite {
    /// What happened, without to which call.
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Joined(..) => "joined",
            Self::Left(..) => "left",
            Self::Ended(_) => "ended",
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
}

/// A call with its peers.
#[derive(Clone, Debug)]
pub(crate) struct CallRow {
    pub(crate) id: CallId,
    pub(crate) next_peer: u16,
    pub(crate) members: Vec<MemberRow>,
}

impl Store {
    /// Writes the changes in one transaction.
    pub(crate) async fn write_calls(&self, writes: &[CallWrite]) -> Result<()> {
        let mut transaction = self.writer.begin().await?;
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
                        "INSERT INTO members (call, peer, session, audio, video)
                         SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM sessions WHERE id = $3)
                         AND EXISTS (SELECT 1 FROM calls WHERE id = $1)
                         ON CONFLICT (call, peer) DO UPDATE
                         SET session = excluded.session, audio = excluded.audio, video = excluded.video",
                    )
                    .bind(call.as_str())
                    .bind(i64::from(member.peer.0))
                    .bind(member.session.0)
                    .bind(i64::from(member.audio))
                    .bind(i64::from(member.video))
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
            }
        }
        transaction.commit().await
    }

    /// The calls that were on.
    pub(crate) async fn calls(&self) -> Result<Vec<CallRow>> {
        let calls = sqlx::query("SELECT id, next_peer FROM calls").fetch_all(&self.writer).await?;
        let mut rows = Vec::new();
        for call in calls {
            let id: String = call.try_get(0)?;
            let members = sqlx::query("SELECT peer, session, audio, video FROM members WHERE call = $1 ORDER BY peer")
                .bind(&id)
                .fetch_all(&self.writer)
                .await?;
            let members = members
                .iter()
                .map(|row| {
                    let peer = PeerId(row.try_get::<i64, _>(0)?.try_into().unwrap_or(u16::MAX));
                    let sends = |at: usize| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(at)? != 0);
                    Ok(MemberRow { peer, session: SessionId(row.try_get(1)?), audio: sends(2)?, video: sends(3)? })
                })
                .collect::<Result<Vec<_>>>()?;
            let next_peer = call.try_get::<i64, _>(1)?.try_into().unwrap_or(u16::MAX);
            rows.push(CallRow { id: CallId::new(id), next_peer, members });
        }
        Ok(rows)
    }
}
