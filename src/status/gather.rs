//! Finding out how filesets are, each source asked once for all of them.

use super::Status;
use super::due::{self, Due, Given};
use super::entry::{Entry, KeyState, State};
use super::health::{self, Facts, Level, Problem};
use super::timers::Timers;
use crate::config::{Configuration, Fileset, Invalid};
use crate::fileset::name::{DatasetName, Name, StorageName};
use crate::fileset::record::Outcome;
use crate::fileset::schedule::ShiftedHours;
use crate::history::{self, Last, Notice, last};
use crate::host::paths::Paths;
use crate::keys::{self, Keys};
use crate::run::live::{Live, Phase};
use crate::run::retry;
use crate::storage::{self, Listed, SnapshotName, Storage};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::Duration;
use time::OffsetDateTime;

/// Who is asked, and how.
#[derive(Debug)]
pub struct Sources<'a> {
    pub paths: &'a Paths,
    pub configuration: &'a Configuration,
    pub timers: Timers,
    pub given: Given,
    pub now: OffsetDateTime,
    judges: bool,
    shifted: HashMap<String, ShiftedHours>,
}

impl<'a> Sources<'a> {
    pub fn new(paths: &'a Paths, configuration: &'a Configuration, now: OffsetDateTime) -> Self {
        let (given, shifted) = (Given::default(), HashMap::new());
        Self { paths, configuration, timers: Timers::None, given, now, judges: false, shifted }
    }

    /// The same, to find out what somebody should look at as well: who shows none of that need not ask for it.
    #[must_use]
    pub fn judging(self) -> Self {
        Self { judges: true, ..self }
    }

    /// All filesets by name, the invalid ones too, and what the history has to say for itself.
    pub fn all(&mut self) -> (Vec<Status>, Vec<Notice>) {
        let filesets: Vec<&Fileset> = self.configuration.filesets.iter().collect();
        let (mut all, notices) = self.of(&filesets);
        all.extend(invalid(self.configuration));
        all.sort_by(|one, other| one.entry.name.cmp(&other.entry.name));
        (all, notices)
    }

    /// These filesets, in this order.
    pub fn of(&mut self, filesets: &[&Fileset]) -> (Vec<Status>, Vec<Notice>) {
        let known = history::overview(self.paths, filesets.iter().map(|fileset| &fileset.name), self.now);
        let mut listed = listed(self.paths, filesets);
        let mut all = Vec::with_capacity(filesets.len());
        for fileset in filesets {
            let listed = listed.remove(&fileset.name).unwrap_or_else(|| Ok(Vec::new()));
            let last = known.last.get(&fileset.name);
            let longest = longest(last, known.longest.get(&fileset.name).copied());
            let average = known.averages.get(&fileset.name).copied();
            all.push(self.one(fileset, last, &listed, longest, average));
        }
        (all, known.notices)
    }

    /// The age that the fileset's newest snapshot may reach at most: see [`due::oldest_age`].
    pub fn oldest_age(&mut self, fileset: &Fileset, status: &Status) -> Duration {
        due::oldest_age(fileset, self.now, status.longest, self.shifted(fileset))
    }

    fn shifted(&mut self, fileset: &Fileset) -> ShiftedHours {
        let zone = &fileset.timezone;
        *self.shifted.entry(zone.name().to_owned()).or_insert_with(|| ShiftedHours::of(zone))
    }

    fn one(
        &mut self,
        fileset: &Fileset,
        last: Option<&Last>,
        listed: &Result<Vec<Listed>, storage::Error>,
        longest: Duration,
        average: Option<Duration>,
    ) -> Status {
        let now = self.now;
        let shifted = self.shifted(fileset);
        let retry = retry::pending(self.paths, &fileset.name, now);
        let seen = listed.as_ref().map(|listed| Seen::of(listed, now)).ok();
        let due = seen.filter(|_| fileset.enabled).and_then(|seen| {
            let since = seen.newest.or_else(|| Some(waiting_since(fileset, last)?.min(now)))?;
            let due = Due::of(fileset, since, longest, shifted);
            Due::or_given(due, self.given, since)
        });
        let next = fileset.enabled.then(|| fileset.next_run(now, shifted)).flatten();
        let newest = seen.and_then(|seen| seen.newest);
        let key = key(self.paths, fileset, last, listed);
        let entry = Entry {
            last_success: last_success(last, listed, newest),
            average_duration_s: average.map(|average| average.as_secs()),
            next_run: [next, retry].into_iter().flatten().min(),
            newest_snapshot: newest,
            oldest_snapshot: seen.and_then(|seen| seen.oldest),
            overdue_at: due.map(|due| due.warning),
            key: key.as_ref().map(|key| *key.as_ref().unwrap_or(&KeyState::Unknown)),
            ..entry(self.paths, fileset, last, listed, retry.is_some())
        };
        let (paths, timers, key) = (self.paths, &self.timers, key.as_ref());
        let facts = Facts { paths, fileset, last, listed, newest, due, key, timers, now };
        let problems = if self.judges && fileset.enabled { health::problems(facts) } else { Vec::new() };
        Status { entry, run: last.map(|last| last.run.clone()), longest, due, problems }
    }
}

/// The snapshots of these filesets: each storage is asked once for all of its own.
fn listed<'f>(
    paths: &Paths,
    filesets: &[&'f Fileset],
) -> HashMap<&'f Name, Result<Vec<Listed>, storage::Error>> {
    let mut of_storage: BTreeMap<&StorageName, Vec<&Fileset>> = BTreeMap::new();
    for fileset in filesets {
        of_storage.entry(&fileset.storage.name).or_default().push(fileset);
    }
    let mut all = HashMap::new();
    for filesets in of_storage.into_values() {
        let Some(first) = filesets.first() else { continue };
        let datasets: Vec<&DatasetName> = filesets.iter().map(|fileset| &fileset.dataset).collect();
        let listed = Storage::new(&first.storage.settings, paths).snapshots_of(&datasets);
        all.extend(filesets.into_iter().map(|fileset| &fileset.name).zip(listed));
    }
    all
}

/// The longest that a run takes: of the last two weeks, but never less than the last success did.
fn longest(last: Option<&Last>, of_late: Option<Duration>) -> Duration {
    let success = last.and_then(|last| last.last_success.as_ref());
    let last = success.map(|success| Duration::from_secs(success.duration_s));
    of_late.max(last).unwrap_or_default()
}

/// Since when a fileset without any snapshot has been waiting for one: its first run or, where it had none, its drop-in.
fn waiting_since(fileset: &Fileset, last: Option<&Last>) -> Option<OffsetDateTime> {
    let written = || fs::metadata(&fileset.file).ok()?.modified().ok().map(OffsetDateTime::from);
    last.map(|last| last.first_run).or_else(written)
}

/// What the snapshots tell that are there.
#[derive(Debug, Clone, Copy)]
struct Seen {
    newest: Option<OffsetDateTime>,
    oldest: Option<OffsetDateTime>,
}

impl Seen {
    fn of(listed: &[Listed], now: OffsetDateTime) -> Self {
        let past = listed.iter().filter(|there| !health::is_ahead(&there.name, now));
        let automatic = listed.iter().filter(|there| matches!(there.name, SnapshotName::Automatic(_)));
        Self {
            newest: past.map(|there| there.name.time()).max(),
            oldest: automatic.map(|there| there.name.time()).min(),
        }
    }
}

/// Where the key is of what is encrypted; absent where there is nothing yet that it would open.
fn key(
    paths: &Paths,
    fileset: &Fileset,
    last: Option<&Last>,
    listed: &Result<Vec<Listed>, storage::Error>,
) -> Option<Result<KeyState, keys::Error>> {
    let source = fileset.encryption.as_ref()?;
    match Keys::new(paths, &fileset.name, source).is_there() {
        Ok(Some(true)) => Some(Ok(KeyState::Present)),
        Ok(Some(false)) => {
            let is_needed = match listed {
                Ok(listed) => !listed.is_empty(),
                Err(_) => last.is_some_and(|last| last.last_success.is_some()),
            };
            is_needed.then_some(Ok(KeyState::Missing))
        }
        Ok(None) => Some(Ok(KeyState::Unknown)),
        Err(error) => Some(Err(error)),
    }
}

/// When the newest snapshot was finished: as the record of its run says, or else as its name does.
fn last_success(
    last: Option<&Last>,
    listed: &Result<Vec<Listed>, storage::Error>,
    newest: Option<OffsetDateTime>,
) -> Option<OffsetDateTime> {
    let success = last.and_then(|last| last.last_success.as_ref());
    let Ok(listed) = listed else { return success.map(|success| success.finished) };
    let made = success.and_then(|success| success.snapshot.as_deref());
    let is_there = made.is_some_and(|name| listed.iter().any(|there| there.name.to_string() == name));
    if is_there { success.map(|success| success.finished) } else { newest }
}

/// What configuration, records and storage say; not yet what comes of many runs, of the calendar or of the snapshots' ages.
fn entry(
    paths: &Paths,
    fileset: &Fileset,
    last: Option<&Last>,
    listed: &Result<Vec<Listed>, storage::Error>,
    retrying: bool,
) -> Entry {
    let live = Live::read(paths, &fileset.name);
    // An open record without a process belongs to a run that was killed and that no run has followed yet.
    let killed = last.is_some_and(Last::is_open) && live.is_none();
    let run = last.map(|last| &last.run);
    let success = last.and_then(|last| last.last_success.as_ref());
    let state = state(fileset, live.as_ref(), retrying);
    Entry {
        group: fileset.group.as_ref().map(ToString::to_string),
        tags: fileset.tags.iter().map(ToString::to_string).collect(),
        enabled: Some(fileset.enabled),
        transport: Some(fileset.transport.name()),
        source: Some(fileset.transport.source()),
        storage: Some(fileset.storage.name.to_string()),
        dataset: Some(fileset.dataset.to_string()),
        last_result: run.and_then(|run| run.result).or(killed.then_some(Outcome::Killed)),
        last_run: run.map(|run| run.started),
        first_failure: last.and_then(Last::failing_since),
        error: run.and_then(|run| run.error.clone()).or(killed.then(|| last::KILLED.into())).or_else(|| {
            // What the record cannot say yet, the listing may.
            listed.as_ref().err().map(ToString::to_string)
        }),
        snapshots: listed.as_ref().ok().map(Vec::len),
        size_bytes: success.and_then(|success| success.totals).map(|totals| totals.bytes),
        progress: live.and_then(|live| live.progress).and_then(|progress| progress.fraction),
        ..Entry::bare(fileset.name.to_string(), state)
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

/// Those whose file is wrong, of which nothing else is known.
pub fn invalid(configuration: &Configuration) -> Vec<Status> {
    configuration.invalid.iter().map(of_invalid).collect()
}

fn of_invalid(invalid: &Invalid) -> Status {
    let stem = || invalid.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = invalid.name.as_ref().map_or_else(stem, ToString::to_string);
    let first = invalid.diagnostics.first();
    let error = first.map(|first| first.to_string().lines().next().unwrap_or_default().to_owned());
    let what = format!("it is not backed up: {}", error.as_deref().unwrap_or("its file is wrong"));
    Status {
        entry: Entry { error, ..Entry::bare(name, State::Invalid) },
        run: None,
        longest: Duration::ZERO,
        due: None,
        problems: vec![Problem::new(Level::Critical, what)],
    }
}
