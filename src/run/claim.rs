//! Taking a fileset for a run: one run at a time, and nothing of a killed one still writing.

use crate::fileset::name::Name;
use crate::host::lock::{self, Holder, Lock};
use crate::host::paths::Paths;
use crate::host::presence::Presence;
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long what a killed run left behind may take to end after SIGTERM, and then after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(10);

/// A fileset that is ours for now.
#[derive(Debug)]
pub struct Claim {
    pub lock: Lock,
    /// Processes of a killed run that still wrote and had to be ended first.
    pub ended: Vec<Pid>,
}

impl Claim {
    /// Says whom the claim had to end.
    pub fn tell(&self, fileset: &Name) {
        if !self.ended.is_empty() {
            let processes = self.ended.iter().map(Pid::to_string).collect::<Vec<_>>().join(", ");
            log::warn!(
                "{fileset}: a killed run had left processes that still wrote; they were ended: {processes}"
            );
        }
    }
}

/// Why a fileset cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{fileset} is being backed up already{}", by(.processes))]
    Busy { fileset: Name, processes: Vec<Pid> },
    #[error("failed to lock {}", .path.display())]
    Lock { path: PathBuf, source: io::Error },
}

fn by(processes: &[Pid]) -> String {
    match processes {
        [] => " by another user's process".to_owned(),
        some => format!(" by process {}", some.iter().map(Pid::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Takes the fileset, or says who has it.
///
/// When the run that took it was killed, its rsync may still be writing and holds the lock for it. Such heirs are ended
/// here: two writers in one workspace is the one thing that must never be.
pub fn take(paths: &Paths, fileset: &Name) -> Result<Claim, Refused> {
    let directory = paths.runtime_dir("lock");
    let path = directory.join(fileset);
    let failed = |source| Refused::Lock { path: path.clone(), source };
    lock::directory(&directory).map_err(failed)?;
    if let Some(lock) = Lock::try_take(&path).map_err(failed)? {
        return Ok(Claim { lock, ended: Vec::new() });
    }
    let busy = |holders: &[Holder]| Refused::Busy {
        fileset: fileset.clone(),
        processes: holders.iter().map(|h| h.pid).collect(),
    };
    let holders = lock::holders(&path);
    let owners: Vec<Holder> = holders.iter().copied().filter(|h| !h.heir).collect();
    if !owners.is_empty() || holders.is_empty() {
        return Err(busy(&owners));
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for heir in holders.iter().filter_map(|h| Presence::of(h.pid)) {
            heir.signal(signal);
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(lock) = Lock::try_take(&path).map_err(failed)? {
                return Ok(Claim { lock, ended: holders.iter().map(|h| h.pid).collect() });
            }
            // The end of another's child cannot be waited for: look again shortly.
            let _ = poll(&mut [], PollTimeout::from(50_u8));
        }
    }
    Err(busy(&holders))
}

#[cfg(test)]
mod tests {
    use super::*;

    // That heirs of a killed run are ended is tried for real in tests/faults.rs: it takes a process that was killed.
    #[test]
    fn one_run_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(Some(dir.path().into()));
        let name: Name = "web1".parse().expect("a name");
        let claim = take(&paths, &name).expect("free");
        assert!(claim.ended.is_empty());
        assert!(matches!(take(&paths, &name), Err(Refused::Busy { .. })));
        drop(claim);
        assert!(take(&paths, &name).is_ok());
    }
}
