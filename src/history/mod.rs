//! What happened: every run that ended (SQLite), and the last run of each fileset (one small file each).
//!
//! Nothing in this room may cost a backup. A database that is missing, read-only, full, damaged or from a newer PlanB
//! is talked about in [`Notice`]s that the caller logs; the run goes on. And nothing may cost a record either: what the
//! database does not take waits in the spool, a file per run, and goes in when it takes things again.
//!
//! Two places, because they answer different questions under different troubles. The last run of a fileset must be
//! known when SQLite is not there, while the run is still going, and after the run was killed: a file, replaced whole.
//! Averages, streaks and lists over many runs want a database.

mod database;
pub mod file;
pub mod json;
pub mod last;
mod notice;
mod query;
mod rename;
mod row;
mod spool;
#[cfg(test)]
mod tests;

pub use database::{Error, History};
pub use last::{KILLED, Last};
pub use notice::Notice;
pub use rename::{RenameError, rename};

use crate::fileset::name::Name;
use crate::fileset::record::{Outcome, Record};
use crate::host::paths::Paths;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use time::OffsetDateTime;

/// How often a write starts over because the file under it was found damaged or was replaced by somebody else.
const ATTEMPTS: usize = 3;

/// How far back the longest run of late is looked for.
const OF_LATE: time::Duration = time::Duration::weeks(2);

/// What a run found out and wrote down when it began.
#[derive(Debug)]
pub struct Begun {
    /// The run before this one, closed.
    pub before: Option<Last>,
    /// The run before this one, when it was this call that found out it had been killed. It is in the history now.
    pub killed: Option<Record>,
    pub notices: Vec<Notice>,
}

/// What is known of a fileset when a run of it has ended.
#[derive(Debug)]
pub struct Ended {
    pub last: Last,
    pub notices: Vec<Notice>,
}

/// Writes down that a run began. `run` has no end yet.
///
/// Call it with the fileset's lock held: that is what makes an open record found here one of a dead process.
pub fn begin(paths: &Paths, run: &Record, now: OffsetDateTime) -> Begun {
    let mut notices = Vec::new();
    let mut before = last::load(paths, &run.fileset, now, &mut notices);
    let mut killed = None;
    if let Some(open) = before.take_if(|before| before.is_open()) {
        let closed = open.killed(None);
        notices.extend(keep(paths, &closed, now));
        killed = Some(closed.run.clone());
        before = Some(closed);
    } else if let Some(ended) = &before {
        notices.extend(keep_missing(paths, ended, now));
    }
    last::save(paths, &Last::begin(before.as_ref(), run.clone()), &mut notices);
    Begun { before, killed, notices }
}

/// Writes down how a run ended. `run` has a result.
pub fn end(paths: &Paths, run: &Record, now: OffsetDateTime) -> Ended {
    debug_assert!(run.result.is_some(), "a run that ended has a result");
    let mut notices = Vec::new();
    let before = last::load(paths, &run.fileset, now, &mut notices);
    let last = match before {
        Some(before) => before.end(run.clone()),
        None => Last::begin(None, run.clone()).end(run.clone()),
    };
    last::save(paths, &last, &mut notices);
    notices.extend(keep(paths, &last, now));
    Ended { last, notices }
}

/// Closes the record of a run whose process was seen to die at `died`, and why. `None` when the last run has its end.
///
/// Call it with the fileset's lock held, or from where systemd says that the process is gone.
pub fn close_killed(
    paths: &Paths,
    fileset: &Name,
    died: OffsetDateTime,
    outcome: Outcome,
    why: &str,
) -> Option<Ended> {
    let mut notices = Vec::new();
    let last = last::load(paths, fileset, died, &mut notices)?;
    if !last.is_open() {
        return None;
    }
    let last = last.died(Some(died), outcome, why);
    last::save(paths, &last, &mut notices);
    notices.extend(keep(paths, &last, died));
    Some(Ended { last, notices })
}

/// Puts a record into the database that did not get there: its run was killed when it had ended but for that.
fn keep_missing(paths: &Paths, last: &Last, now: OffsetDateTime) -> Vec<Notice> {
    if spool::has(paths, &last.run) {
        return Vec::new();
    }
    match ask(paths, now, |history| history.run(&last.run.id)) {
        Ok((None, mut notices)) => {
            notices.extend(keep(paths, last, now));
            notices
        }
        Ok((Some(_), notices)) => notices,
        // What is wrong with the history is told when this run ends.
        Err(_) => Vec::new(),
    }
}

/// Puts the record of a run that ended into the database or, where that does not work, into the spool.
fn keep(paths: &Paths, last: &Last, now: OffsetDateTime) -> Vec<Notice> {
    let mut notices = Vec::new();
    let run = &last.run;
    let written = write(paths, run, now, &mut notices);
    if last.first_run == run.started {
        // The fileset's first run, maybe the host's: that there was no history is as it should be.
        notices.retain(|notice| !matches!(notice, Notice::New { .. }));
    }
    if let Err(error) = written {
        notices.push(match spool::put(paths, run) {
            Ok(file) => Notice::Spooled { file, error },
            Err(spool) => Notice::Lost { id: run.id.clone(), spool, error },
        });
    }
    notices
}

fn write(paths: &Paths, run: &Record, now: OffsetDateTime, notices: &mut Vec<Notice>) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        let history = open(paths, now, notices)?;
        match history.insert(std::slice::from_ref(run)) {
            // Whoever moved a damaged file aside between our opening and our writing took our record with it.
            Ok(()) if history.is_in_place() => return Ok(()),
            Ok(()) => {}
            Err(error) if error.is_damage() => notices.extend(history.set_aside(now, &error)?),
            Err(error) => return Err(error),
        }
    }
    Err(Error::Unsettled { path: paths.history() })
}

/// Opens the history for writing: makes it, brings it up to date, replaces it when it is damaged, and takes in what
/// waits in the spool.
fn open(paths: &Paths, now: OffsetDateTime, notices: &mut Vec<Notice>) -> Result<History, Error> {
    let path = paths.history();
    let history = match History::open(&path) {
        Err(error) if error.is_damage() => {
            notices.extend(database::set_aside(&path, error.damaged_file(), now, &error)?);
            History::open(&path)?
        }
        other => other?,
    };
    // After a damaged one was moved aside a new one is no surprise.
    if history.is_new() && !notices.iter().any(|notice| matches!(notice, Notice::SetAside { .. })) {
        notices.push(Notice::New { path });
    }
    notices.extend(spool::take_in(paths, &history, now));
    Ok(history)
}

/// Answers a question from the history, as anybody who may read it. A history that is not there is empty. One found
/// damaged is moved aside where we may do that, and is then empty too.
pub fn ask<T>(
    paths: &Paths,
    now: OffsetDateTime,
    question: impl Fn(&History) -> Result<T, Error>,
) -> Result<(T, Vec<Notice>), Error> {
    let path = paths.history();
    let mut notices = Vec::new();
    let answer = History::read(&path).and_then(|history| question(&history));
    let answer = match answer {
        Err(error) if error.is_damage() => {
            let Ok(moved) = database::set_aside(&path, error.damaged_file(), now, &error) else {
                return Err(error);
            };
            notices.extend(moved);
            question(&History::read(&path)?)?
        }
        other => other?,
    };
    notices.extend(spool::waiting(paths));
    Ok((answer, notices))
}

/// All that is known of many filesets at once.
#[derive(Debug, Default)]
pub struct Overview {
    pub last: BTreeMap<Name, Last>,
    /// The mean duration of the last ten successes.
    pub averages: HashMap<Name, Duration>,
    /// The longest success of the last two weeks.
    pub longest: HashMap<Name, Duration>,
    pub notices: Vec<Notice>,
}

/// Reads what is known of these filesets. Troubles end up in the notices, never in the way.
pub fn overview<'a>(
    paths: &Paths,
    filesets: impl Iterator<Item = &'a Name>,
    now: OffsetDateTime,
) -> Overview {
    let mut overview = Overview::default();
    let mut unknown = Vec::new();
    for name in filesets {
        match last::read(paths, name) {
            Ok(Some(last)) => drop(overview.last.insert(name.clone(), last)),
            Ok(None) => unknown.push(name),
            Err(error) => {
                overview.notices.push(Notice::LastUnreadable { error });
                unknown.push(name);
            }
        }
    }
    let asked = ask(paths, now, |history| {
        let mut rebuilt = Vec::new();
        for name in &unknown {
            rebuilt.extend(history.last(name)?);
        }
        Ok((history.averages()?, history.longest(now - OF_LATE)?, rebuilt))
    });
    match asked {
        Ok(((averages, longest, rebuilt), notices)) => {
            (overview.averages, overview.longest) = (averages, longest);
            overview.last.extend(rebuilt.into_iter().map(|last| (last.run.fileset.clone(), last)));
            overview.notices.extend(notices);
        }
        Err(error) => overview.notices.push(Notice::Unreadable { error }),
    }
    overview
}
