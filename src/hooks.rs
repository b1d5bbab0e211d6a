//! The administrator's programs that hear of every run when it is over: Zabbix, mail, whatever they like.
//!
//! A hook changes nothing: not the run's result, not what the next hook sees. One that fails, hangs or may not be
//! trusted is reported and passed over. None runs as root, and none runs that somebody else could have written.

mod directory;
mod environment;
#[cfg(test)]
mod tests;

use crate::fileset::record::Record;
use crate::history::{Last, json};
use crate::host::output::Lines;
use crate::host::process::{self, Ending, Input, Limits, Program, Stream};
use crate::host::signals::Stop;
use directory::Refused;
use nix::unistd::{Gid, Uid, User};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// How long one hook may take.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The user that hooks of the host run as.
pub const USER: &str = "planb";

/// What hooks hear of: a run that ended, and how the fileset is doing.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub run: &'a Record,
    /// What the fileset takes up in its storage, in bytes, where that is known.
    pub size: Option<u64>,
    /// When the newest success ended, this run included.
    pub last_success: Option<OffsetDateTime>,
    /// When the first failed run since the success before this run began: what a failure is a part of, or a success the
    /// end of.
    pub first_failure: Option<OffsetDateTime>,
}

impl<'a> Event<'a> {
    pub fn new(last: &'a Last, size: Option<u64>) -> Self {
        Self {
            run: &last.run,
            size,
            last_success: last.last_success.as_ref().map(|success| success.finished),
            first_failure: last.first_failure,
        }
    }
}

/// Who hooks run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Whoever we are: user `planb` in the hooks' own unit, or a person with a world of their own.
    Invoker,
    /// Root stands back and lets this user run them.
    User(String),
}

impl Identity {
    /// Root runs no hooks of the host: that is for user `planb`. In a world of one's own there are only one's own hooks.
    pub fn fitting(rooted: bool) -> Self {
        if rooted || !Uid::effective().is_root() { Self::Invoker } else { Self::User(USER.to_owned()) }
    }
}

/// What became of one hook.
#[derive(Debug)]
pub struct Report {
    /// The file's name; of a directory that could not be used, its path.
    pub hook: String,
    pub fate: Result<Ending, Trouble>,
}

/// Why a hook did not run.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("it was passed over")]
    Refused(#[from] Refused),
    #[error(
        "it was passed over: there is no user {user}, and hooks do not run as root (create the user, as the package does)"
    )]
    NoUser { user: String },
    #[error("it was passed over: a stop was wished for")]
    Stopped,
    #[error("it could not be run")]
    Process(#[from] process::Error),
}

impl Report {
    /// Whether there is nothing to report.
    pub fn is_clean(&self) -> bool {
        self.fate.as_ref().is_ok_and(|ending| ending.is_clean())
    }
}

impl fmt::Display for Report {
    /// "hook 50-mail exited with 1"; what stands behind a trouble is appended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hook {}", self.hook)?;
        match &self.fate {
            Ok(ending) => write!(f, " {ending}"),
            Err(trouble) => {
                write!(f, ": {trouble}")?;
                let mut cause = std::error::Error::source(trouble);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
        }
    }
}

/// Runs every hook of these directories (the first wins where two have the same name), one after the other by name.
///
/// Each may take as long as `patience`. What they print is handed to `said` line by line, with the hook's name. `stop`
/// ends them: where it was wished for the run's sake (an interrupted run has its hooks too), give another.
pub fn run(
    directories: &[PathBuf],
    event: &Event<'_>,
    identity: &Identity,
    patience: Duration,
    stop: &Stop,
    said: &mut dyn FnMut(&str, &str),
) -> Vec<Report> {
    let runner = runner(identity);
    // Who may own a hook: the one who runs it. Without one nothing runs, but everything is still named.
    let owner = runner
        .as_ref()
        .map_or_else(|_| Uid::from_raw(0), |runner| runner.map_or_else(Uid::effective, |r| r.0));
    let variables = environment::variables(event);
    let json = serde_json::to_vec(&json::Run::from(event.run)).unwrap_or_default();

    let mut reports = Vec::new();
    for (hook, found) in directory::hooks(directories, owner) {
        let fate = match (found, &runner) {
            (Err(refused), _) => Err(refused.into()),
            (Ok(_), Err(user)) => Err(Trouble::NoUser { user: user.clone() }),
            (Ok(_), Ok(_)) if stop.wished() => Err(Trouble::Stopped),
            (Ok(path), Ok(runner)) => program(&path, *runner)
                .map(|program| {
                    let program = variables.iter().fold(program, |p, (name, value)| p.env(name, value));
                    program.stdin(Input::Bytes(json.clone()))
                })
                .and_then(|program| one(program, patience, stop, &mut |line| said(&hook, line)))
                .map_err(Trouble::from),
        };
        reports.push(Report { hook, fate });
    }
    reports
}

/// Whom to become: nobody else, or this user and group. The error is the name of a user that does not exist.
fn runner(identity: &Identity) -> Result<Option<(Uid, Gid)>, String> {
    match identity {
        Identity::Invoker => Ok(None),
        Identity::User(name) => match User::from_name(name) {
            Ok(Some(user)) => Ok(Some((user.uid, user.gid))),
            _ => Err(name.clone()),
        },
    }
}

/// setpriv(1) makes the change as systemd's `User=` does, with the user's own supplementary groups and none of ours.
/// It does not set `no_new_privs`: sendmail is set-group-id or set-user-id in every mail system.
fn program(hook: &Path, runner: Option<(Uid, Gid)>) -> Result<Program, process::Error> {
    match runner {
        None => Program::find(&hook.to_string_lossy()),
        Some((uid, gid)) => Ok(Program::find("setpriv")?
            .args(["--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--init-groups", "--"])
            .arg(hook)),
    }
}

fn one(
    program: Program,
    patience: Duration,
    stop: &Stop,
    said: &mut dyn FnMut(&str),
) -> Result<Ending, process::Error> {
    let limits = Limits { stop, deadline: Some(Instant::now() + patience) };
    let (mut out, mut err) = (Lines::default(), Lines::default());
    let mut line = |bytes: &[u8]| said(&String::from_utf8_lossy(bytes));
    let ending = program.run(limits, |stream, bytes| match stream {
        Stream::Out => out.push(bytes, &mut line),
        Stream::Err | Stream::Report => err.push(bytes, &mut line),
    });
    out.flush(&mut line);
    err.flush(&mut line);
    ending
}
