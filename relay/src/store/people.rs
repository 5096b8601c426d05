//! How people want to be seen, whom they have blocked, what they have missed, and what they report.

use proto::{
    Name,
    model::{Choice, OwnPresence},
};
use sqlx::Row;

use super::{AccountId, DbConnection, Result, Store, wall_clock_ms};

/// How someone wants to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PresenceRow {
    pub(crate) account: AccountId,
    pub(crate) own: OwnPresence,
    /// When they were last there for their buddies.
    pub(crate) seen_at_ms: Option<i64>,
}

/// Someone wants nothing of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRow {
    pub(crate) account: AccountId,
    pub(crate) blocked: AccountId,
    /// Since when the blocked one sees the other as offline.
    pub(crate) seen_at_ms: Option<i64>,
}

/// The rings of one person at another that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissedRow {
    pub(crate) account: AccountId,
    pub(crate) caller: AccountId,
    pub(crate) at_ms: i64,
    pub(crate) rings: u32,
}

/// Something for whoever runs the relay to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportRow {
    pub(crate) id: i64,
    pub(crate) reporter: Name,
    pub(crate) about: Name,
    pub(crate) text: String,
    pub(crate) at_ms: i64,
}

impl Store {
    /// How everyone who ever said so wants to be seen.
    pub(crate) async fn presences(&self) -> Result<Vec<PresenceRow>> {
        let rows = sqlx::query("SELECT account, choice, line, seen_at_ms FROM presences ORDER BY account")
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let own = OwnPresence { choice: choice(row.try_get(1)?), text: row.try_get(2)? };
                Ok(PresenceRow { account: AccountId(row.try_get(0)?), own, seen_at_ms: row.try_get(3)? })
            })
            .collect()
    }

    /// Someone wants to be seen like that.
    pub(crate) async fn set_presence(&self, account: AccountId, own: &OwnPresence) -> Result<()> {
        sqlx::query(
            "INSERT INTO presences (account, choice, line) VALUES ($1, $2, $3)
             ON CONFLICT (account) DO UPDATE SET choice = excluded.choice, line = excluded.line",
        )
        .bind(account.0)
        .bind(word(own.choice))
        .bind(&own.text)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Who wants nothing of whom.
    pub(crate) async fn blocks(&self) -> Result<Vec<BlockRow>> {
        let rows = sqlx::query("SELECT account, blocked, seen_at_ms FROM blocks").fetch_all(&self.reader).await?;
        rows.iter()
            .map(|row| {
                let (account, blocked) = (AccountId(row.try_get(0)?), AccountId(row.try_get(1)?));
                Ok(BlockRow { account, blocked, seen_at_ms: row.try_get(2)? })
            })
            .collect()
    }

    /// Someone wants nothing of another from now on.
    pub(crate) async fn add_block(&self, row: BlockRow) -> Result<()> {
        sqlx::query(
            "INSERT INTO blocks (account, blocked, seen_at_ms) VALUES ($1, $2, $3) ON CONFLICT (account, blocked) DO NOTHING",
        )
        .bind(row.account.0)
        .bind(row.blocked.0)
        .bind(row.seen_at_ms)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// It is over.
    pub(crate) async fn remove_block(&self, account: AccountId, blocked: AccountId) -> Result<()> {
        sqlx::query("DELETE FROM blocks WHERE account = $1 AND blocked = $2")
            .bind(account.0)
            .bind(blocked.0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// All that was missed and not seen since.
    pub(crate) async fn missed(&self) -> Result<Vec<MissedRow>> {
        let rows = sqlx::query("SELECT account, caller, at_ms, rings FROM missed").fetch_all(&self.reader).await?;
        rows.iter()
            .map(|row| {
                let (account, caller) = (AccountId(row.try_get(0)?), AccountId(row.try_get(1)?));
                let rings = u32::try_from(row.try_get::<i64, _>(3)?).unwrap_or(u32::MAX);
                Ok(MissedRow { account, caller, at_ms: row.try_get(2)?, rings })
            })
            .collect()
    }

    /// Keeps a report, unless so many of that person wait already; whether it was kept.
    pub(crate) async fn add_report(&self, reporter: AccountId, about: AccountId, text: &str, most: usize) -> Result<bool> {
        let mut transaction = self.begin().await?;
        let open: i64 = sqlx::query("SELECT COUNT(*) FROM reports WHERE reporter = $1")
            .bind(reporter.0)
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        if usize::try_from(open).unwrap_or(usize::MAX) >= most {
            return Ok(false);
        }
        sqlx::query("INSERT INTO reports (reporter, account, text, at_ms) VALUES ($1, $2, $3, $4)")
            .bind(reporter.0)
            .bind(about.0)
            .bind(text)
            .bind(wall_clock_ms())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The reports that wait, the oldest first.
    pub(crate) async fn reports(&self) -> Result<Vec<ReportRow>> {
        let rows = sqlx::query(
            "SELECT reports.id, reporters.name, accounts.name, reports.text, reports.at_ms FROM reports
             JOIN accounts reporters ON reporters.id = reports.reporter
             JOIN accounts ON accounts.id = reports.account ORDER BY reports.id",
        )
        .fetch_all(&self.reader)
        .await?;
        let name = |text: String| text.parse::<Name>().map_err(|error| sqlx::Error::Decode(Box::new(error)));
        rows.iter()
            .map(|row| {
                let (reporter, about) = (name(row.try_get(1)?)?, name(row.try_get(2)?)?);
                Ok(ReportRow { id: row.try_get(0)?, reporter, about, text: row.try_get(3)?, at_ms: row.try_get(4)? })
            })
            .collect()
    }

    /// A report was dealt with; whether there was one of that number.
    pub(crate) async fn close_report(&self, id: i64) -> Result<bool> {
        Ok(sqlx::query("DELETE FROM reports WHERE id = $1").bind(id).execute(&self.writer).await?.rows_affected() > 0)
    }
}

/// Someone was there for their buddies until then.
pub(super) async fn seen(connection: &mut DbConnection, account: AccountId, at_ms: i64) -> Result<()> {
    // Whoever was removed a moment ago has no row to hang it on.
    sqlx::query(
        "INSERT INTO presences (account, choice, line, seen_at_ms)
         SELECT id, $2, $3, $4 FROM accounts WHERE id = $1
         ON CONFLICT (account) DO UPDATE SET seen_at_ms = excluded.seen_at_ms",
    )
    .bind(account.0)
    .bind(word(Choice::Available))
    .bind("")
    .bind(at_ms)
    .execute(connection)
    .await?;
    Ok(())
}

/// Someone has rung in vain.
pub(super) async fn missed(connection: &mut DbConnection, row: MissedRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO missed (account, caller, at_ms, rings)
         SELECT one.id, other.id, $3, $4 FROM accounts one JOIN accounts other ON other.id = $2 WHERE one.id = $1
         ON CONFLICT (account, caller) DO UPDATE SET at_ms = excluded.at_ms, rings = excluded.rings",
    )
    .bind(row.account.0)
    .bind(row.caller.0)
    .bind(row.at_ms)
    .bind(i64::from(row.rings))
    .execute(connection)
    .await?;
    Ok(())
}

/// It was seen, or is too old.
pub(super) async fn missed_seen(connection: &mut DbConnection, account: AccountId, caller: AccountId) -> Result<()> {
    sqlx::query("DELETE FROM missed WHERE account = $1 AND caller = $2")
        .bind(account.0)
        .bind(caller.0)
        .execute(connection)
        .await?;
    Ok(())
}

fn word(choice: Choice) -> &'static str {
    match choice {
        Choice::Away => "away",
        Choice::DoNotDisturb => "do_not_disturb",
        Choice::Invisible => "invisible",
        _ => "available",
    }
}

fn choice(word: String) -> Choice {
    match word.as_str() {
        "away" => Choice::Away,
        "do_not_disturb" => Choice::DoNotDisturb,
        "invisible" => Choice::Invisible,
        _ => Choice::Available,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store(folder: &tempfile::TempDir) -> (Store, AccountId, AccountId) {
        let store = Store::open(&folder.path().join("relay.db")).await.unwrap();
        let ana = store.add_account(&"Ana".parse().unwrap(), "hash").await.unwrap().unwrap();
        let ben = store.add_account(&"Ben".parse().unwrap(), "hash").await.unwrap().unwrap();
        (store, ana, ben)
    }

    #[tokio::test]
    async fn a_choice_and_when_someone_was_seen_do_not_overwrite_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ana, ben) = store(&folder).await;
        for choice in [Choice::Available, Choice::Away, Choice::DoNotDisturb, Choice::Invisible] {
            let own = OwnPresence { choice, text: "out for tea".to_owned() };
            store.set_presence(ana, &own).await.unwrap();
            seen(&mut store.writer.acquire().await.unwrap(), ana, 7).await.unwrap();
            let row = PresenceRow { account: ana, own, seen_at_ms: Some(7) };
            assert_eq!(store.presences().await.unwrap(), [row]);
        }
        seen(&mut store.writer.acquire().await.unwrap(), ben, 9).await.unwrap();
        seen(&mut store.writer.acquire().await.unwrap(), AccountId(99), 9).await.expect("nobody is no trouble");
        let rows = store.presences().await.unwrap();
        assert_eq!((rows.len(), &rows[1].own, rows[1].seen_at_ms), (2, &OwnPresence::default(), Some(9)));
    }

    #[tokio::test]
    async fn missed_calls_are_counted_anew_and_go_with_who_rang() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ana, ben) = store(&folder).await;
        let row = |rings| MissedRow { account: ana, caller: ben, at_ms: i64::from(rings) * 10, rings };
        for rings in [1, 2] {
            missed(&mut store.writer.acquire().await.unwrap(), row(rings)).await.unwrap();
        }
        missed(&mut store.writer.acquire().await.unwrap(), MissedRow { caller: AccountId(99), ..row(1) }).await.unwrap();
        assert_eq!(store.missed().await.unwrap(), [row(2)]);
        store.remove_account(ben).await.unwrap();
        assert_eq!(store.missed().await.unwrap(), []);
    }

    #[tokio::test]
    async fn so_many_reports_of_one_person_wait_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ana, ben) = store(&folder).await;
        assert!(store.add_report(ana, ben, "one", 2).await.unwrap());
        assert!(store.add_report(ana, ben, "two", 2).await.unwrap());
        assert!(!store.add_report(ana, ben, "three", 2).await.unwrap());
        assert!(store.add_report(ben, ana, "mine", 2).await.unwrap());
        let reports = store.reports().await.unwrap();
        let shown = reports.iter().map(|it| (it.reporter.as_str(), it.about.as_str(), it.text.as_str())).collect::<Vec<_>>();
        assert_eq!(shown, [("Ana", "Ben", "one"), ("Ana", "Ben", "two"), ("Ben", "Ana", "mine")]);
        assert!(store.close_report(reports[0].id).await.unwrap() && !store.close_report(reports[0].id).await.unwrap());
        assert!(store.add_report(ana, ben, "three", 2).await.unwrap());
    }
}
