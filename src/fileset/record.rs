//! The record of one run: what history keeps, hooks get and people read.

use super::name::{DatasetName, Group, Name, Tag};
use super::progress::{Totals, Transferred};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use time::OffsetDateTime;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The transport ended cleanly *and* the snapshot is listed.
    Success,
    /// Not now; it will be tried again by itself.
    Deferred,
    Failure,
    /// The transfer took longer than it may.
    Timeout,
    /// A person stopped it.
    Interrupted,
    /// It never came to its end: SIGKILL, out of memory, power.
    Killed,
}

impl Outcome {
    pub const ALL: [Self; 6] =
        [Self::Success, Self::Deferred, Self::Failure, Self::Timeout, Self::Interrupted, Self::Killed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Deferred => "deferred",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
            Self::Killed => "killed",
        }
    }

    /// Whether this outcome opens (or goes on with) a streak of failures. A deferral says nothing about the source,
    /// and neither does a person who stops a run.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::Timeout | Self::Killed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Its schedule: blacklist hours apply.
    Timer,
    /// A person, who means now.
    Manual,
    /// An earlier run that failed or was deferred.
    Retry,
}

impl Trigger {
    pub const ALL: [Self; 3] = [Self::Timer, Self::Manual, Self::Retry];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Manual => "manual",
            Self::Retry => "retry",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One attempt to back up one fileset. Written when it begins (then without `finished` and `result`) and again when it
/// ends; a record that never got its end belongs to a run that was killed.
///
/// The names of the fields are the names in `history --json` and in what hooks read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// systemd's `INVOCATION_ID`, or a fresh 128-bit id: 32 hexadecimal digits.
    pub id: String,
    pub fileset: Name,
    pub group: Option<Group>,
    #[serde(default)]
    pub tags: Vec<Tag>,
    pub trigger: Trigger,
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub finished: Option<OffsetDateTime>,
    pub result: Option<Outcome>,
    /// What went wrong, the whole chain in one line; absent on success.
    pub error: Option<String>,
    /// The transport program's exit code, where one ran.
    pub exit_code: Option<i32>,
    /// The snapshot's name, on success.
    pub snapshot: Option<String>,
    pub dataset: DatasetName,
    /// Where the snapshot's files are, on success.
    pub path: Option<PathBuf>,
    /// Absent where no transfer came to its end.
    pub transferred: Option<Transferred>,
    /// Names of the snapshots that retention destroyed.
    #[serde(default)]
    pub destroyed: Vec<String>,
}

impl Record {
    /// Seconds from start to end, of a run that has ended.
    pub fn duration_s(&self) -> Option<u64> {
        let finished = self.finished?;
        u64::try_from((finished - self.started).whole_seconds()).ok().or(Some(0))
    }

    /// What the source held, of a run whose transfer came to its end and could tell.
    pub fn totals(&self) -> Option<Totals> {
        self.transferred?.totals
    }
}
