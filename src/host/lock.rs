//! Kernel locks: a dead process holds nothing.
//!
//! A lock is an flock(2) on a file that is made once and never removed (removing it would let two processes lock two
//! files of the same name). The lock belongs to the open file: when we are killed, a child that shares the file goes on
//! holding it, and that is meant: as long as anything still writes for a run, the run's lock is taken.

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Gid, Pid};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A held lock. Dropping it lets go, for a child that shares it as well; being killed does not.
#[derive(Debug)]
pub struct Lock {
    file: Flock<File>,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock if nobody has it.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        match Flock::lock(open(path)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Some(Self { file, path: path.to_owned() })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }

    /// Takes the lock of a file that somebody else made and that we may only read, if nobody has it.
    pub fn try_take_of(path: &Path) -> io::Result<Option<Self>> {
        match Flock::lock(File::open(path)?, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Some(Self { file, path: path.to_owned() })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }

    /// Takes the lock, however long that takes: only for locks that are held for moments.
    pub fn take(path: &Path) -> io::Result<Self> {
        let mut file = open(path)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusive) {
                Ok(file) => return Ok(Self { file, path: path.to_owned() }),
                Err((same, Errno::EINTR)) => file = same,
                Err((_, error)) => return Err(error.into()),
            }
        }
    }

    /// Another handle on the same open file, for a child that shall hold the lock as well.
    pub fn share(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the lock's file while it is held: for files that carry a one-time name (tickets), never for others.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Makes a directory for locks and live state, readable by all, writable by us.
pub fn directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Whether nobody has the lock now. Opens the file for reading only, so that whoever watches it for being closed by its
/// writer (inotify's `IN_CLOSE_WRITE`) does not hear us look.
pub fn is_free(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_) => Ok(true),
        Err((_, Errno::EWOULDBLOCK)) => Ok(false),
        Err((_, error)) => Err(error.into()),
    }
}

/// Makes a lock's file for `group` to read, and for nobody else but us.
pub fn provide(path: &Path, group: Gid) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(false).mode(0o640).open(path)?;
    nix::unistd::fchown(&file, None, Some(group))?;
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)
}

/// A process that has a lock's file open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    pub pid: Pid,
    /// It has the lock as its standard input and nowhere else: it was given it by [`Lock::share`] and did not take it.
    pub heir: bool,
}

/// Who has the lock's file open, ourselves excepted.
///
/// Sees only processes whose /proc/PID/fd may be read: all for root, one's own for others.
pub fn holders(path: &Path) -> Vec<Holder> {
    let Ok(wanted) = fs::metadata(path) else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let own = Pid::this();
    let pids =
        processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    pids.filter(|pid| *pid != own)
        .filter_map(|pid| {
            let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.filter_map(Result::ok);
            let same = |fd: &fs::DirEntry| {
                fs::metadata(fd.path()).is_ok_and(|m| m.dev() == wanted.dev() && m.ino() == wanted.ino())
            };
            let held: Vec<_> = descriptors.filter(same).map(|fd| fd.file_name()).collect();
            (!held.is_empty()).then(|| Holder { pid, heir: held == ["0"] })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process::{Input, Limits, Program};
    use crate::host::signals::Stop;

    #[test]
    fn one_at_a_time_and_free_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let held = Lock::try_take(&path).expect("flock").expect("free");
        assert!(Lock::try_take(&path).expect("flock").is_none());
        drop(held);
        assert!(Lock::try_take(&path).expect("flock").is_some());
    }

    #[test]
    fn a_child_that_shares_it_holds_it_after_us_and_is_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let held = Lock::try_take(&path).expect("flock").expect("free");
        let shared = held.share().expect("dup");
        // As if we had been killed: no destructor runs.
        std::mem::forget(held);
        let stop = Stop::new().expect("a socket pair");
        let child = Program::find("sh").expect("a shell").args(["-c", "echo ready; sleep 1000"]);
        let mut seen = (false, Vec::new());
        let ending = child.stdin(Input::File(shared)).run(Limits { stop: &stop, deadline: None }, |_, _| {
            seen = (Lock::try_take(&path).expect("flock").is_none(), holders(&path));
            stop.wish();
        });
        assert!(ending.is_ok());
        // The shell, and the sleep where the shell has forked it by now.
        assert!(seen.0 && !seen.1.is_empty() && seen.1.iter().all(|h| h.heir), "{seen:?}");
        assert_eq!(holders(&path), []);
    }
}
