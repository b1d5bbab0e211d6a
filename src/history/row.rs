//! A record as a row, and back.

use crate::fileset::name::Group;
use crate::fileset::progress::{Totals, Transferred};
use crate::fileset::record::{Outcome, Record, Trigger};
use rusqlite::types::Type;
use rusqlite::{Error, Row, ToSql, named_params};
use serde::de::DeserializeOwned;
use std::str::FromStr;
use time::OffsetDateTime;

/// In the order in which [`read`] reads them.
pub const COLUMNS: &str = "id, fileset, fileset_group, tags, trigger, started, finished, result, error, \
    exit_code, snapshot, dataset, path, files_total, bytes_total, files_transferred, bytes_transferred, destroyed";

/// A run that is written again (from the spool, or after the file was replaced) takes its own place.
const INSERT: &str = "INSERT OR REPLACE INTO run
    (id, fileset, fileset_group, tags, trigger, started, finished, result, error, exit_code, snapshot, dataset, path,
     files_total, bytes_total, files_transferred, bytes_transferred, destroyed)
    VALUES
    (:id, :fileset, :fileset_group, :tags, :trigger, :started, :finished, :result, :error, :exit_code, :snapshot,
     :dataset, :path, :files_total, :bytes_total, :files_transferred, :bytes_transferred, :destroyed)";

/// Writes one record. One without a result is refused by the table.
pub fn insert(db: &rusqlite::Connection, run: &Record) -> Result<(), Error> {
    let json = |list: Result<String, serde_json::Error>| {
        list.map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
    };
    let transferred = run.transferred.unwrap_or_default();
    let bound: &[(&str, &dyn ToSql)] = named_params! {
        ":id": run.id,
        ":fileset": run.fileset.as_str(),
        ":fileset_group": run.group.as_ref().map(Group::as_str),
        ":tags": json(serde_json::to_string(&run.tags))?,
        ":trigger": run.trigger.as_str(),
        ":started": nanoseconds(run.started),
        ":finished": run.finished.map(nanoseconds),
        ":result": run.result.map(Outcome::as_str),
        ":error": run.error,
        ":exit_code": run.exit_code,
        ":snapshot": run.snapshot,
        ":dataset": run.dataset.as_str(),
        ":path": run.path.as_ref().map(|path| path.to_string_lossy()),
        ":files_total": transferred.totals.map(|t| signed(t.files)),
        ":bytes_total": transferred.totals.map(|t| signed(t.bytes)),
        ":files_transferred": transferred.files.map(signed),
        ":bytes_transferred": transferred.bytes.map(signed),
        ":destroyed": json(serde_json::to_string(&run.destroyed))?,
    };
    db.execute(INSERT, bound).map(drop)
}

/// Reads one record whose columns are [`COLUMNS`].
pub fn read(row: &Row<'_>) -> Result<Record, Error> {
    let totals = match (row.get::<_, Option<i64>>(13)?, row.get::<_, Option<i64>>(14)?) {
        (Some(files), Some(bytes)) => Some(Totals { files: unsigned(files), bytes: unsigned(bytes) }),
        _ => None,
    };
    let (files, bytes) = (row.get::<_, Option<i64>>(15)?, row.get::<_, Option<i64>>(16)?);
    let transferred = Transferred { totals, files: files.map(unsigned), bytes: bytes.map(unsigned) };
    let trigger: String = row.get(4)?;
    let result: String = row.get(7)?;
    Ok(Record {
        id: row.get(0)?,
        fileset: word(row, 1)?,
        group: row.get::<_, Option<String>>(2)?.map(|_| word(row, 2)).transpose()?,
        tags: list(row, 3)?,
        trigger: one_of(4, &trigger, &Trigger::ALL, Trigger::as_str)?,
        started: instant(5, row.get(5)?)?,
        finished: row.get::<_, Option<i64>>(6)?.map(|at| instant(6, at)).transpose()?,
        result: Some(one_of(7, &result, &Outcome::ALL, Outcome::as_str)?),
        error: row.get(8)?,
        exit_code: row.get(9)?,
        snapshot: row.get(10)?,
        dataset: word(row, 11)?,
        path: row.get::<_, Option<String>>(12)?.map(Into::into),
        // A transfer of which nothing is known is one that never came to its end, as far as anybody can tell.
        transferred: Some(transferred).filter(|known| *known != Transferred::default()),
        destroyed: list(row, 17)?,
    })
}

/// A name that was good when it was written.
pub fn word<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> Result<T, Error> {
    row.get::<_, String>(column)?.parse().map_err(|error: T::Err| wrong(column, Type::Text, error))
}

fn list<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Vec<T>, Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| wrong(column, Type::Text, error))
}

fn one_of<T: Copy>(
    column: usize,
    text: &str,
    all: &[T],
    as_str: impl Fn(T) -> &'static str,
) -> Result<T, Error> {
    let found = all.iter().copied().find(|&one| as_str(one) == text);
    found.ok_or_else(|| wrong(column, Type::Text, format!("{text:?} is not known")))
}

fn wrong(column: usize, of: Type, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::FromSqlConversionFailure(column, of, error.into())
}

/// SQLite's integers have a sign. They end at 8 EiB; no source does that.
fn signed(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

fn unsigned(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or(0)
}

/// Nanoseconds since 1970 fit until the year 2262.
fn nanoseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

pub fn instant(column: usize, nanoseconds: i64) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into())
        .map_err(|error| wrong(column, Type::Integer, error))
}
