//! What somebody should look at: one small function for each thing that can be wrong with a fileset.

use super::due::Due;
use super::entry::KeyState;
use super::timers::Timers;
use crate::config::Fileset;
use crate::fileset::quantity::{Span, counted};
use crate::fileset::reason::chain;
use crate::fileset::snapshot::Automatic;
use crate::history::Last;
use crate::host::paths::Paths;
use crate::keys::{self, Keys};
use crate::storage::{Error, Listed, SnapshotName, Storage};
use serde::Serialize;
use std::path::Path;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

/// How bad it is, in the order of who should look first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warning,
    /// It could not be found out.
    Unknown,
    Critical,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Critical => "critical",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub level: Level,
    pub what: String,
}

impl Problem {
    pub fn new(level: Level, what: impl Into<String>) -> Self {
        Self { level, what: what.into() }
    }
}

/// How far a snapshot's time may be ahead of the clock before one of the two is wrong.
const AHEAD: Duration = Duration::minutes(5);

/// Whether a snapshot is of the future: it is not believed, or a clock that once was wrong would look fresh for years.
pub fn is_ahead(snapshot: &SnapshotName, now: OffsetDateTime) -> bool {
    snapshot.time() > now + AHEAD
}

/// All that may be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub paths: &'a Paths,
    pub fileset: &'a Fileset,
    pub last: Option<&'a Last>,
    pub listed: &'a Result<Vec<Listed>, Error>,
    pub newest: Option<OffsetDateTime>,
    pub due: Option<Due>,
    /// Of what is encrypted.
    pub key: Option<&'a Result<KeyState, keys::Error>>,
    pub timers: &'a Timers,
    pub now: OffsetDateTime,
}

/// What is wrong with an enabled fileset, the worst first.
pub fn problems(facts: Facts<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = match facts.listed {
        Ok(listed) => {
            let fresh = lost(facts, listed).or_else(|| late(facts));
            [fresh, ahead(listed, facts.now), kept_too_long(facts, listed)].into_iter().flatten().collect()
        }
        Err(error) => vec![unseen(error)],
    };
    problems.extend([keyless(facts), failing(facts), unscheduled(facts)].into_iter().flatten());
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.level));
    problems
}

/// The storage does not say what it has.
fn unseen(error: &Error) -> Problem {
    let level = if error.is_denied() { Level::Unknown } else { Level::Critical };
    Problem::new(level, chain(error))
}

/// There are backups, and nothing here that opens them.
fn keyless(facts: Facts<'_>) -> Option<Problem> {
    let (name, source) = (&facts.fileset.name, facts.fileset.encryption.as_ref()?);
    match facts.key? {
        // What a command has is its own concern: asking for keys is not looking whether they are there.
        Ok(KeyState::Present | KeyState::Unknown) => None,
        Ok(KeyState::Missing) => Some(Problem::new(
            Level::Critical,
            format!(
                "its key is missing: restore {}, or bring it back from its recovery sheet: planb key import {name}",
                Keys::new(facts.paths, name, source).place()
            ),
        )),
        Err(error) => Some(Problem::new(Level::Unknown, format!("its key cannot be seen: {}", chain(error)))),
    }
}

/// A run made a snapshot, and there is none at all.
fn lost(facts: Facts<'_>, listed: &[Listed]) -> Option<Problem> {
    let success = facts.last?.last_success.as_ref()?;
    if !listed.is_empty() {
        return None;
    }
    let name = success.snapshot.as_deref().unwrap_or("a snapshot");
    Some(Problem::new(Level::Critical, format!("{name} was made and is not there: no snapshot is")))
}

/// Its newest snapshot is older than the schedule allows, or the first one is not there in time.
fn late(facts: Facts<'_>) -> Option<Problem> {
    let due = facts.due?;
    let level = match facts.now {
        now if now > due.critical => Level::Critical,
        now if now > due.warning => Level::Warning,
        _ => return None,
    };
    let was_due = format!("another was due by {}", minute(facts.fileset, due.warning));
    Some(Problem::new(
        level,
        match facts.newest {
            Some(newest) => {
                format!("its newest snapshot is {} old, {was_due}", span(facts.now - newest))
            }
            None => format!("there is no snapshot, one was due by {}", minute(facts.fileset, due.warning)),
        },
    ))
}

/// A snapshot is of the future: it tells nothing about today, and retention believes it.
fn ahead(listed: &[Listed], now: OffsetDateTime) -> Option<Problem> {
    let ahead = listed.iter().rev().find(|there| is_ahead(&there.name, now))?;
    let by = span(ahead.name.time() - now);
    Some(Problem::new(Level::Warning, format!("{} is {by} ahead of the clock", ahead.name)))
}

/// The last run pruned, and still there are snapshots that retention does not keep.
fn kept_too_long(facts: Facts<'_>, listed: &[Listed]) -> Option<Problem> {
    let newest: Automatic = listed.iter().rev().find_map(|there| match there.name {
        SnapshotName::Automatic(name) => Some(name),
        SnapshotName::Kept(_) => None,
    })?;
    let snapshots: Vec<_> = listed.iter().map(|there| there.name.clone().into()).collect();
    let plan = facts.fileset.retain.plan(&snapshots, &facts.fileset.timezone);
    if plan.destroy.is_empty() {
        return None;
    }
    // One that runs now has yet to prune, and where retention is another since, the next run will see to it.
    let settings = facts.paths.settings();
    let changed = [&facts.fileset.file, &settings].into_iter().filter_map(|file| changed_at(file));
    let changed = changed.filter(|at| *at <= facts.now).max();
    if facts.last.is_some_and(Last::is_open) || changed.is_some_and(|at| at >= newest.time()) {
        return None;
    }
    // What somebody holds stays, as they want it to. Asked only where it matters: it takes a look at each snapshot.
    let storage = Storage::new(&facts.fileset.storage.settings, facts.paths);
    let in_use = storage.in_use(&facts.fileset.dataset).unwrap_or_default();
    let doomed: Vec<_> = plan.destroy.iter().filter(|name| !in_use.contains(name)).collect();
    let oldest = doomed.first()?;
    let older = counted(doomed.len() as u64, "snapshot");
    Some(Problem::new(
        Level::Warning,
        format!(
            "{older} older than `retain` allows, the oldest {oldest}: `planb prune {}` says why",
            facts.fileset.name
        ),
    ))
}

fn changed_at(file: &Path) -> Option<OffsetDateTime> {
    std::fs::metadata(file).ok()?.modified().ok().map(OffsetDateTime::from)
}

/// Its last attempts came to nothing.
fn failing(facts: Facts<'_>) -> Option<Problem> {
    let last = facts.last?;
    let since = last.failing_since()?;
    let error = last.run.error.as_deref().unwrap_or("another attempt goes on");
    let since = minute(facts.fileset, since);
    Some(Problem::new(Level::Warning, format!("it fails since {since}: {error}")))
}

/// systemd has no timer that would start it.
fn unscheduled(facts: Facts<'_>) -> Option<Problem> {
    let name = &facts.fileset.name;
    (!facts.timers.starts(name)).then(|| {
        let what = format!("planb@{name}.timer is not active, so nothing starts by itself: planb reload");
        Problem::new(Level::Critical, what)
    })
}

/// A moment as the fileset's clocks show it.
fn minute(fileset: &Fileset, at: OffsetDateTime) -> String {
    let local = fileset.timezone.show(at);
    local
        .format(format_description!("[year]-[month]-[day] [hour]:[minute]"))
        .unwrap_or_else(|_| local.to_string())
}

fn span(span: Duration) -> Span {
    Span::from_secs(super::seconds(span))
}
