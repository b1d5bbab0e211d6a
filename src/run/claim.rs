//! Taking a fileset for a run: one run at a time, and nothing of a killed one still writing.

use super::carry;
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

/// How long it may take until it is clear who holds a lock. A process that was killed this moment may still have the lock
/// and no descriptors to be seen any more, and a child of it that has not become rsync yet looks as it did: who really
/// has the fileset is there at a second look, and who cannot be seen at all is taken for another user's after this.
const SETTLED: Duration = Duration::from_secs(1);

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
    #[error("{why}")]
    Transferring { fileset: Name, why: String },
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
/// here: two writers in one workspace is the one thing that must never be. So are transfer units that outlived their run.
pub fn take(paths: &Paths, fileset: &Name) -> Result<Claim, Refused> {
    let claim = take_lock(paths, fileset)?;
    carry::end(paths, fileset, false)
        .map_err(|why| Refused::Transferring { fileset: fileset.clone(), why })?;
    Ok(claim)
}

fn take_lock(paths: &Paths, fileset: &Name) -> Result<Claim, Refused> {
    let directory = paths.runtime_dir("lock");
    let path = directory.join(fileset);
    let failed = |source| Refused::Lock { path: path.clone(), source };
    lock::directory(&directory).map_err(failed)?;
    let busy = |holders: &[Holder]| Refused::Busy {
        fileset: fileset.clone(),
        processes: holders.iter().map(|h| h.pid).collect(),
    };
    let until = Instant::now() + SETTLED;
    let mut seen: Vec<Holder> = Vec::new();
    let holders = loop {
        if let Some(lock) = Lock::try_take(&path).map_err(failed)? {
            return Ok(Claim { lock, ended: Vec::new() });
        }
        let holders = lock::holders(&path);
        let owners: Vec<Holder> = holders.iter().copied().filter(|h| !h.heir).collect();
        if owners.iter().any(|owner| seen.contains(owner)) || (holders.is_empty() && until <= Instant::now())
        {
            return Err(busy(&owners));
        }
        if owners.is_empty() && !holders.is_empty() {
            break holders;
        }
        seen = owners;
        look_again_shortly();
    };
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for heir in holders.iter().filter_map(|h| Presence::of(h.pid)) {
            heir.signal(signal);
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(lock) = Lock::try_take(&path).map_err(failed)? {
                return Ok(Claim { lock, ended: holders.iter().map(|h| h.pid).collect() });
            }
            look_again_shortly();
        }
    }
    Err(busy(&holders))
}

/// The end of another's process, or of its child, cannot be waited for.
fn look_again_shortly() {
    let _ = poll(&mut [], PollTimeout::from(50_u8));
}

#[cfg(test)]
mod tests {
    use super::*;

    // That heirs of a killed run are ended is tried for real in tests/end_to_end: it takes a process that was killed.
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
