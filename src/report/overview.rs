//! Every fileset in one view: what `planb list` and `planb status` show.

use crate::config::{Configuration, Fileset, Invalid};
use crate::fileset::record::Outcome;
use crate::fileset::schedule::ShiftedHours;
use crate::history::{self, Last, Notice, last};
use crate::host::paths::Paths;
use crate::run::live::{Live, Phase};
use crate::run::retry;
use crate::storage::Storage;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;
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
    /// When the last successful run ended.
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

/// All filesets by name, the invalid ones too, and what the history has to say for itself.
pub fn of_all(
    paths: &Paths,
    configuration: &Configuration,
    now: OffsetDateTime,
) -> (Vec<Entry>, Vec<Notice>) {
    let names = configuration.filesets.iter().map(|fileset| &fileset.name);
    let known = history::overview(paths, names, now);
    let mut shifted: HashMap<&str, ShiftedHours> = HashMap::new();
    let valid = configuration.filesets.iter().map(|fileset| {
        let zone = &fileset.timezone;
        let retry = retry::pending(paths, &fileset.name, now);
        let shifted = *shifted.entry(zone.name()).or_insert_with(|| ShiftedHours::of(zone));
        Entry {
            average_duration_s: known.averages.get(&fileset.name).map(Duration::as_secs),
            next_run: [fileset.enabled.then(|| fileset.next_run(now, shifted)).flatten(), retry]
                .into_iter()
                .flatten()
                .min(),
            ..entry(paths, fileset, known.last.get(&fileset.name), retry.is_some())
        }
    });
    let mut entries: Vec<Entry> = valid.chain(configuration.invalid.iter().map(of_invalid)).collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    (entries, known.notices)
}

/// What configuration, records and storage say; not yet what comes of many runs or of the calendar.
fn entry(paths: &Paths, fileset: &Fileset, last: Option<&Last>, retrying: bool) -> Entry {
    let live = Live::read(paths, &fileset.name);
    // An open record without a process belongs to a run that was killed and that no run has followed yet.
    let killed = last.is_some_and(Last::is_open) && live.is_none();
    let run = last.map(|last| &last.run);
    let success = last.and_then(|last| last.last_success.as_ref());
    let listed = Storage::new(&fileset.storage.settings).snapshots(&fileset.dataset);
    Entry {
        name: fileset.name.to_string(),
        group: fileset.group.as_ref().map(ToString::to_string),
        tags: fileset.tags.iter().map(ToString::to_string).collect(),
        enabled: Some(fileset.enabled),
        transport: Some(fileset.transport.name()),
        source: Some(fileset.transport.source()),
        storage: Some(fileset.storage.name.to_string()),
        dataset: Some(fileset.dataset.to_string()),
        state: state(fileset, live.as_ref(), retrying),
        last_result: run.and_then(|run| run.result).or(killed.then_some(Outcome::Killed)),
        last_success: success.map(|success| success.finished),
        last_run: run.map(|run| run.started),
        first_failure: last.and_then(Last::failing_since),
        error: run.and_then(|run| run.error.clone()).or(killed.then(|| last::KILLED.into())).or_else(|| {
            // What the record cannot say yet, the listing may.
            listed.as_ref().err().map(ToString::to_string)
        }),
        average_duration_s: None,
        snapshots: listed.ok().map(|listed| listed.len()),
        size_bytes: success.and_then(|success| success.totals).map(|totals| totals.bytes),
        next_run: None,
        progress: live.and_then(|live| live.progress).and_then(|progress| progress.fraction),
    }
}

fn state(fileset: &Fileset, live: Option<&Live>, retrying: bool) -> State {
    match live.map(|live| live.phase) {
        Some(Phase::Queued) => State::Queued,
        Some(Phase::Transferring | Phase::Finishing) => State::Running,
        None if !fileset.enabled => State::Disabled,
        None if retrying => State::Retrying,
        None => State::Idle,
    }
}

fn of_invalid(invalid: &Invalid) -> Entry {
    let stem = || invalid.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let first = invalid.diagnostics.first();
    Entry {
        name: invalid.name.as_ref().map_or_else(stem, ToString::to_string),
        group: None,
        tags: Vec::new(),
        enabled: None,
        transport: None,
        source: None,
        storage: None,
        dataset: None,
        state: State::Invalid,
        last_result: None,
        last_success: None,
        last_run: None,
        first_failure: None,
        error: first.map(|first| first.to_string().lines().next().unwrap_or_default().to_owned()),
        average_duration_s: None,
        snapshots: None,
        size_bytes: None,
        next_run: None,
        progress: None,
    }
}
