//! The last run of each fileset, and what of the runs before it must not be forgotten: `last/NAME.json`.
//!
//! Written when a run begins and when it ends, always under the fileset's lock. Hooks, `planb list` and the next run
//! read it. A file that is lost or bad is made again from the history.

use super::database;
use super::file;
use super::notice::Notice;
use crate::fileset::name::Name;
use crate::fileset::progress::Totals;
use crate::fileset::record::{Outcome, Record};
use crate::host::paths::Paths;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// What a record says that its run's process could not.
pub const KILLED: &str = "the run never came to its end: it was killed, or the machine went down";

/// A fileset's last run, and what is carried on from the runs before it.
#[expect(clippy::struct_field_names, reason = "the last success is called the same here as in `list --json`")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Without a result as long as it runs, and when it was killed and nobody has noticed yet.
    pub run: Record,
    /// The newest success, this run included.
    pub last_success: Option<Success>,
    /// When the first failed run since the success before this run began. A success that ends a streak of failures still
    /// has it, so that it can be told from one that goes on with a streak of successes; the run after it has not.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub first_failure: Option<OffsetDateTime>,
    /// How many runs failed since the success before this run.
    #[serde(default)]
    pub failures: u32,
    /// When the first run ever known began.
    #[serde(with = "time::serde::rfc3339")]
    pub first_run: OffsetDateTime,
}

/// What is remembered of a success: what the guard compares with, what progress and `list` tell from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    pub id: String,
    #[serde(with = "time::serde::rfc3339")]
    pub finished: OffsetDateTime,
    pub duration_s: u64,
    pub totals: Option<Totals>,
    pub snapshot: Option<String>,
}

impl Last {
    /// A run begins after `before`.
    pub fn begin(before: Option<&Self>, run: Record) -> Self {
        let first_run = before.map_or(run.started, |before| before.first_run.min(run.started));
        let last_success = before.and_then(|before| before.last_success.clone());
        let (first_failure, failures) = match before {
            Some(before) if before.run.result != Some(Outcome::Success) => {
                (before.first_failure, before.failures)
            }
            _ => (None, 0),
        };
        let run = Record { finished: None, result: None, ..run };
        Self { run, last_success, first_failure, failures, first_run }
    }

    /// A run ended: this one, or (where its begin could not be written down) one after this one.
    ///
    /// Only the first end of a run counts. What was recorded as a failure is no success later, nor the other way round.
    #[must_use]
    pub fn end(self, run: Record) -> Self {
        let mut last = if self.run.id == run.id { self } else { Self::begin(Some(&self), run.clone()) };
        if !last.is_open() {
            return last;
        }
        match run.result {
            Some(Outcome::Success) => last.last_success = Some(Success::of(&run)),
            Some(outcome) if outcome.is_failure() => {
                last.first_failure.get_or_insert(run.started);
                last.failures = last.failures.saturating_add(1);
            }
            _ => {}
        }
        last.run = run;
        last
    }

    /// The run's process is dead and did not write its end. `died` is when, where somebody saw it.
    #[must_use]
    pub fn killed(self, died: Option<OffsetDateTime>) -> Self {
        self.died(died, Outcome::Killed, KILLED)
    }

    /// The same, where somebody knows what it came to and why.
    #[must_use]
    pub fn died(self, died: Option<OffsetDateTime>, outcome: Outcome, why: &str) -> Self {
        let run = self.run.clone();
        self.end(Record { finished: died, result: Some(outcome), error: Some(why.into()), ..run })
    }

    /// Whether the run has no end: it goes on, or it was killed. Who holds the fileset's lock knows which.
    pub const fn is_open(&self) -> bool {
        self.run.result.is_none()
    }

    /// Since when the fileset has been failing, as of now.
    pub fn failing_since(&self) -> Option<OffsetDateTime> {
        if self.run.result == Some(Outcome::Success) { None } else { self.first_failure }
    }

    /// Since when a success is waited for: the end of the last one or, where there was none, the first attempt.
    pub fn waiting_since(&self) -> OffsetDateTime {
        self.last_success.as_ref().map_or(self.first_run, |success| success.finished)
    }
}

impl Success {
    fn of(run: &Record) -> Self {
        Self {
            id: run.id.clone(),
            finished: run.finished.unwrap_or(run.started),
            duration_s: run.duration_s().unwrap_or(0),
            totals: run.totals(),
            snapshot: run.snapshot.clone(),
        }
    }
}

/// A last-run file, or one in the spool, tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("failed to read {}", .file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("failed to understand {}", .file.display())]
    Understand { file: PathBuf, source: serde_json::Error },
    #[error("{} is of another fileset: {of}", .file.display())]
    Mistaken { file: PathBuf, of: Name },
}

fn path(paths: &Paths, fileset: &Name) -> PathBuf {
    paths.last_runs().join(format!("{fileset}.json"))
}

/// The last run of a fileset. `None` when it has none.
pub fn read(paths: &Paths, fileset: &Name) -> Result<Option<Last>, ReadError> {
    let last: Option<Last> = read_json(&path(paths, fileset))?;
    match last {
        Some(last) if last.run.fileset != *fileset => {
            Err(ReadError::Mistaken { file: path(paths, fileset), of: last.run.fileset })
        }
        other => Ok(other),
    }
}

pub(super) fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>, ReadError> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ReadError::Read { file: file.to_owned(), source }),
    };
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(source) => Err(ReadError::Understand { file: file.to_owned(), source }),
    }
}

/// The last run of a fileset, wherever it is known from. A bad file is moved aside; what it said comes from the history.
pub(super) fn load(
    paths: &Paths,
    fileset: &Name,
    now: OffsetDateTime,
    notices: &mut Vec<Notice>,
) -> Option<Last> {
    match read(paths, fileset) {
        Ok(Some(last)) => return Some(last),
        Ok(None) => {}
        Err(error @ ReadError::Read { .. }) => notices.push(Notice::LastUnreadable { error }),
        Err(error) => notices.push(keep_aside(&path(paths, fileset), now, error)),
    }
    match super::ask(paths, now, |history| history.last(fileset)) {
        Ok((last, told)) => {
            notices.extend(told);
            last
        }
        Err(error) => {
            notices.push(Notice::Unreadable { error });
            None
        }
    }
}

/// Removes the file, whose fileset has another name now.
pub(super) fn forget(paths: &Paths, fileset: &Name) -> Result<(), (PathBuf, io::Error)> {
    let file = path(paths, fileset);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err((file, error)),
        _ => Ok(()),
    }
}

/// Moves a file that is no record aside.
pub(super) fn keep_aside(file: &Path, now: OffsetDateTime, error: ReadError) -> Notice {
    let kept = database::aside(file, now);
    match fs::rename(file, &kept) {
        Ok(()) => Notice::NoRecord { file: file.to_owned(), kept, error },
        Err(_) => Notice::LastUnreadable { error },
    }
}

pub(super) fn save(paths: &Paths, last: &Last, notices: &mut Vec<Notice>) {
    let file = path(paths, &last.run.fileset);
    let written = serde_json::to_vec(last).map_err(io::Error::from).and_then(|mut json| {
        json.push(b'\n');
        file::replace(&file, &json)
    });
    if let Err(error) = written {
        notices.push(Notice::LastNotKept { file, error });
    }
}
