//! What can be asked of the history, and what is put into it.

use super::database::{Error, History};
use super::last::Last;
use super::row;
use crate::fileset::name::Name;
use crate::fileset::record::Record;
use rusqlite::{Params, Row};
use std::collections::HashMap;
use std::time::Duration;
use time::OffsetDateTime;

/// All filesets that ever ran, by jumping from one to the next in the index instead of reading every row.
pub(super) const FILESETS: &str = "WITH RECURSIVE filesets (name) AS (
        SELECT min(fileset) FROM run
        UNION ALL
        SELECT (SELECT min(fileset) FROM run WHERE fileset > name) FROM filesets WHERE name IS NOT NULL
    )";

/// The last ten successes of each fileset, straight from an index that holds all it needs.
pub(super) const AVERAGES: &str = "SELECT name, (
        SELECT avg(duration) FROM (
            SELECT finished - started AS duration FROM run
            WHERE fileset = name AND result = 'success' ORDER BY started DESC LIMIT 10
        )
    ) AS average FROM filesets WHERE name IS NOT NULL AND average IS NOT NULL";

/// The longest success of each fileset since a moment, from the same index.
pub(super) const LONGEST: &str = "SELECT name, (
        SELECT max(finished - started) FROM run
        WHERE fileset = name AND result = 'success' AND started >= ?1
    ) AS longest FROM filesets WHERE name IS NOT NULL AND longest IS NOT NULL";

/// The statement that fits no other database.
pub(super) fn every_column() -> String {
    format!("SELECT {} FROM run", row::COLUMNS)
}

impl History {
    /// Writes records of runs that ended, all or none.
    pub(super) fn insert(&self, runs: &[Record]) -> Result<(), Error> {
        let transaction = self.begin()?;
        for run in runs {
            row::insert(&transaction, run).map_err(|source| self.failure("write", source))?;
        }
        transaction.commit().map_err(|source| self.failure("write", source))
    }

    /// The runs of one fileset or of all, the newest first, at most `limit`.
    pub fn runs(&self, fileset: Option<&Name>, limit: Option<u32>) -> Result<Vec<Record>, Error> {
        let limit = limit.map_or(-1, i64::from);
        let order = "ORDER BY started DESC LIMIT ?1";
        match fileset {
            Some(name) => self.collect(
                &format!("{} WHERE fileset = ?2 {order}", every_column()),
                (limit, name.as_str()),
                row::read,
            ),
            None => self.collect(&format!("{} {order}", every_column()), (limit,), row::read),
        }
    }

    /// One run.
    pub fn run(&self, id: &str) -> Result<Option<Record>, Error> {
        Ok(self.collect(&format!("{} WHERE id = ?1", every_column()), (id,), row::read)?.into_iter().next())
    }

    /// The mean duration of each fileset's last ten successes.
    pub fn averages(&self) -> Result<HashMap<Name, Duration>, Error> {
        self.durations(AVERAGES, ())
    }

    /// The longest success of each fileset that began at `since` or later.
    pub fn longest(&self, since: OffsetDateTime) -> Result<HashMap<Name, Duration>, Error> {
        // SQLite counts in 64 bits: it has no moment before 1677, and none that is asked for.
        let since = i64::try_from(since.unix_timestamp_nanos()).unwrap_or(i64::MIN);
        self.durations(LONGEST, (since,))
    }

    fn durations(&self, of_each: &str, bound: impl Params) -> Result<HashMap<Name, Duration>, Error> {
        let rows = self.collect(&format!("{FILESETS} {of_each}"), bound, |found| {
            let nanoseconds: f64 = found.get(1)?;
            // A clock that was set back can make it negative.
            let duration = Duration::try_from_secs_f64(nanoseconds / 1e9).unwrap_or_default();
            Ok((row::word(found, 0)?, duration))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// What a fileset's last-run file should hold, when that is lost.
    pub fn last(&self, fileset: &Name) -> Result<Option<Last>, Error> {
        let began: Option<i64> = self.one(
            "SELECT max(started) FROM run WHERE fileset = ?1 AND result = 'success'
                AND started < (SELECT max(started) FROM run WHERE fileset = ?1)",
            (fileset.as_str(),),
        )?;
        // Played again from the last success before the newest run: a streak that the newest run ended is known to it.
        let since = format!("{} WHERE fileset = ?1 AND started >= ?2 ORDER BY started", every_column());
        let runs = self.collect(&since, (fileset.as_str(), began.unwrap_or(i64::MIN)), row::read)?;
        let mut last: Option<Last> = None;
        for run in runs {
            last = Some(Last::begin(last.as_ref(), run.clone()).end(run));
        }
        if let Some(last) = &mut last {
            let first: Option<i64> =
                self.one("SELECT min(started) FROM run WHERE fileset = ?1", (fileset.as_str(),))?;
            let first = first.map(|at| row::instant(0, at)).transpose();
            last.first_run = first.map_err(|source| self.failure("read", source))?.unwrap_or(last.first_run);
        }
        Ok(last)
    }

    fn one<T: rusqlite::types::FromSql>(&self, sql: &str, bound: impl Params) -> Result<T, Error> {
        self.db.query_row(sql, bound, |found| found.get(0)).map_err(|source| self.failure("read", source))
    }

    fn collect<T>(
        &self,
        sql: &str,
        bound: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, Error> {
        let failed = |source| self.failure("read", source);
        let mut statement = self.db.prepare(sql).map_err(failed)?;
        let rows = statement.query_map(bound, read).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }
}
