//! What is shown of a fileset, in the words of `list --json`.

use crate::fileset::record::Outcome;
use serde::Serialize;
use time::OffsetDateTime;
use time::serde::rfc3339;

/// One fileset, as `list --json` shows it. Fields may be added, none renamed; what is not known is null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub name: String,
    pub group: Option<String>,
    pub tags: Vec<String>,
    pub enabled: Option<bool>,
    pub transport: Option<&'static str>,
    pub source: Option<String>,
    pub storage: Option<String>,
    pub dataset: Option<String>,
    pub state: State,
    pub last_result: Option<Outcome>,
    /// When the run ended whose snapshot is the newest. Of one that no record knows it is the time in its name.
    #[serde(with = "rfc3339::option")]
    pub last_success: Option<OffsetDateTime>,
    /// When the last run began, whatever became of it.
    #[serde(with = "rfc3339::option")]
    pub last_run: Option<OffsetDateTime>,
    /// When the first of the runs began that have failed since the last success.
    #[serde(with = "rfc3339::option")]
    pub first_failure: Option<OffsetDateTime>,
    pub error: Option<String>,
    /// The mean of the last ten successes.
    pub average_duration_s: Option<u64>,
    pub snapshots: Option<usize>,
    /// What the source held at the last success.
    pub size_bytes: Option<u64>,
    #[serde(with = "rfc3339::option")]
    pub next_run: Option<OffsetDateTime>,
    /// How far the run is that goes on now, from 0 to 1.
    pub progress: Option<f64>,
    /// The time of the newest snapshot that is listed and not of the future.
    #[serde(with = "rfc3339::option")]
    pub newest_snapshot: Option<OffsetDateTime>,
    /// Of the automatic ones: those that are kept by hand may be of any age.
    #[serde(with = "rfc3339::option")]
    pub oldest_snapshot: Option<OffsetDateTime>,
    /// From when on it is late: one start of the schedule has then come to nothing.
    #[serde(with = "rfc3339::option")]
    pub overdue_at: Option<OffsetDateTime>,
    /// Null where it is not encrypted, or has no key yet since there is nothing to open.
    pub key: Option<KeyState>,
}

/// Whether the key of what is encrypted is where it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    Present,
    /// There are backups that nothing here opens.
    Missing,
    /// A command has it, which is not asked to be looked at, or we may not look.
    Unknown,
}

/// What a fileset is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Idle,
    /// A run waits for a slot.
    Queued,
    Running,
    /// The last run came to nothing; the next attempt has its timer.
    Retrying,
    Disabled,
    /// Its configuration is wrong: it is not backed up.
    Invalid,
}

impl State {
    pub const ALL: [Self; 6] =
        [Self::Idle, Self::Queued, Self::Running, Self::Retrying, Self::Disabled, Self::Invalid];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Disabled => "disabled",
            Self::Invalid => "invalid",
        }
    }
}

impl Entry {
    /// Of a fileset of which nothing is known but its name.
    pub fn bare(name: String, state: State) -> Self {
        Self {
            name,
            group: None,
            tags: Vec::new(),
            enabled: None,
            transport: None,
            source: None,
            storage: None,
            dataset: None,
            state,
            last_result: None,
            last_success: None,
            last_run: None,
            first_failure: None,
            error: None,
            average_duration_s: None,
            snapshots: None,
            size_bytes: None,
            next_run: None,
            progress: None,
            newest_snapshot: None,
            oldest_snapshot: None,
            overdue_at: None,
            key: None,
        }
    }
}
