//! What the administrator should hear about the history, though it stopped nothing.

use super::database::Error;
use super::last::ReadError;
use std::io;
use std::path::PathBuf;

/// Something about the history that must be said. Its Display tells this level, its source the next.
#[derive(Debug, thiserror::Error)]
pub enum Notice {
    #[error("{path} was damaged ({why}): it is kept as {kept}, a new history begins", path = .path.display(), kept = .kept.display())]
    SetAside { path: PathBuf, kept: PathBuf, why: String },
    #[error("{} was missing though filesets have run before: a new history begins", .path.display())]
    New { path: PathBuf },
    #[error("the history did not take this run: its record waits as {} and goes in when it can", .file.display())]
    Spooled {
        file: PathBuf,
        #[source]
        error: Error,
    },
    #[error("the record of run {id} could be kept nowhere, not even in the spool ({spool})")]
    Lost {
        id: String,
        spool: io::Error,
        #[source]
        error: Error,
    },
    #[error("{} had waited and went into the history", records(*.count))]
    TookIn { count: usize },
    #[error("waiting for the history in {}: {}; see what keeps it from being written", .spool.display(), records(*.count))]
    Waiting { count: usize, spool: PathBuf },
    #[error("the records that wait in {} cannot go into the history yet", .spool.display())]
    StillWaiting {
        spool: PathBuf,
        #[source]
        error: Error,
    },
    #[error("{} is no record of a run: it is kept as {}", .file.display(), .kept.display())]
    NoRecord {
        file: PathBuf,
        kept: PathBuf,
        #[source]
        error: ReadError,
    },
    #[error("what is known of the last run comes from the history instead")]
    LastUnreadable {
        #[source]
        error: ReadError,
    },
    #[error("failed to keep the last run as {}", .file.display())]
    LastNotKept {
        file: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("the history cannot be read")]
    Unreadable {
        #[source]
        error: Error,
    },
}

fn records(count: usize) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}

impl Notice {
    /// Whether somebody has to do something. The others only tell.
    pub const fn is_trouble(&self) -> bool {
        !matches!(self, Self::TookIn { .. })
    }
}
