//! Walks down a tree that others may have shaped, and never out of it.
//!
//! Names in a tree come from the source host, and what is a directory now may be a link a moment later. So nothing
//! here is ever named by a path: each directory is opened from its parent's descriptor without following links, and
//! the way back up is `..`, believed only where it leads to the very directory we came from. One descriptor is open
//! whatever the depth, and there is no recursion: a tree of ten thousand levels costs ten thousand names.
//!
//! Two walks of one tree at the same time are fine: what the other one took is gone, which is what both want.

use crate::host::account::Account;
use crate::host::signals::Stop;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmod, fchmodat, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, fchown, fchownat, unlinkat};
use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// How a directory is opened: it must be one, and no link is followed to get there.
pub const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// What a walk does to what lies below the directory it begins in. That directory itself stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Removes everything.
    Empty,
    /// Removes every file that has other names too: whoever writes into this tree next can reach no inode that is
    /// also in another one. Of files linked only among themselves the last name met stays, so no content is lost.
    Unshare,
    /// Gives everything to somebody else.
    Give(Account),
    /// Changes nothing. What is on another file system, or in another subvolume, is a failure.
    Look,
}

/// What a walk did.
#[derive(Debug, Default)]
pub struct Walked {
    /// Names taken away, directories included.
    pub removed: u64,
    /// Stopped before its end, because somebody wished so.
    pub stopped: bool,
    /// Things that are still there, or another's, although they should not.
    pub failures: u64,
    /// The first of them, below the directory the walk began in.
    pub first_failure: Option<(PathBuf, io::Error)>,
}

/// Which directory a descriptor is of, whatever it is called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub fn of(stat: &FileStat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }

    pub fn same_file_system(self, other: Self) -> bool {
        self.device == other.device
    }
}

pub fn is_directory(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

/// Whether no file system was mounted between the two: by the numbers that `proc_pid_fdinfo(5)` calls `mnt_id`. (Of
/// openat2(2), which would tell as well, systemd's `RestrictSUIDSGID=` says that the kernel has none.)
pub fn same_mount(one: &impl AsFd, other: &impl AsFd) -> io::Result<bool> {
    Ok(mount(one.as_fd())? == mount(other.as_fd())?)
}

fn mount(file: BorrowedFd<'_>) -> io::Result<String> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    id.map(|id| id.trim().to_owned()).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// Does `task` to all that is below `top`.
///
/// # Errors
///
/// What cannot be removed or given away is counted, and the walk goes on. An error is the end of it: the tree was moved away
/// under us, or `top` cannot be read.
pub fn walk(top: OwnedFd, task: Task, stop: &Stop) -> io::Result<Walked> {
    let identity = Identity::of(&fstat(&top)?);
    let top_level = Level { name: CString::default(), identity, below: Vec::new() };
    let mut walk = Walk { task, stop, here: top, levels: vec![top_level], walked: Walked::default() };
    walk.scan();
    while !walk.walked.stopped {
        let Some(level) = walk.levels.last_mut() else { break };
        match level.below.pop() {
            Some(name) => walk.enter(name),
            None if walk.levels.len() == 1 => break,
            None => walk.leave()?,
        }
    }
    Ok(walk.walked)
}

struct Walk<'a> {
    task: Task,
    stop: &'a Stop,
    /// The directory of the last level.
    here: OwnedFd,
    levels: Vec<Level>,
    walked: Walked,
}

struct Level {
    name: CString,
    identity: Identity,
    /// Directories still to be entered.
    below: Vec<CString>,
}

enum Met {
    Directory,
    /// Kept, removed, or gone before we came.
    Done,
}

impl Walk<'_> {
    /// Goes through the files here and leaves the directories for later.
    fn scan(&mut self) {
        let entries =
            match self.here.try_clone().map_err(Errno::try_from).map_err(|e| e.unwrap_or(Errno::EIO)) {
                Ok(fd) => Dir::from_fd(fd),
                Err(errno) => Err(errno),
            };
        let entries = match entries {
            Ok(dir) => dir.into_iter(),
            Err(errno) => return self.failed(c".", errno),
        };
        let mut below = Vec::new();
        for entry in entries {
            if self.stop.wished() {
                self.walked.stopped = true;
                return;
            }
            let entry = match entry {
                Ok(entry) => entry,
                // This directory itself was removed by another walk.
                Err(Errno::ENOENT) => break,
                Err(errno) => {
                    self.failed(c".", errno);
                    break;
                }
            };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            match self.meet(name, entry.file_type()) {
                Ok(Met::Directory) => below.push(name.to_owned()),
                Ok(Met::Done) | Err(Errno::ENOENT) => {}
                Err(errno) => self.failed(name, errno),
            }
        }
        if let Some(level) = self.levels.last_mut() {
            level.below = below;
        }
    }

    /// Does to what is not a directory what the task wants.
    fn meet(&mut self, name: &CStr, kind: Option<Type>) -> Result<Met, Errno> {
        if kind == Some(Type::Directory) {
            return Ok(Met::Directory);
        }
        // Some file systems do not tell the kind in the listing.
        if self.task == Task::Unshare || kind.is_none() {
            let stat = fstatat(&self.here, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            if is_directory(&stat) {
                return Ok(Met::Directory);
            }
            if self.task == Task::Unshare && stat.st_nlink < 2 {
                return Ok(Met::Done);
            }
        }
        let removed = match self.task {
            Task::Empty | Task::Unshare => unlinkat(&self.here, name, UnlinkatFlags::NoRemoveDir),
            Task::Give(to) => return give(&self.here, name, to).map(|()| Met::Done),
            Task::Look => return Ok(Met::Done),
        };
        match removed {
            Ok(()) => {
                self.walked.removed += 1;
                Ok(Met::Done)
            }
            Err(Errno::EISDIR) => Ok(Met::Directory),
            Err(errno) => Err(errno),
        }
    }

    fn enter(&mut self, name: CString) {
        match self.open(&name) {
            Ok((directory, identity)) => {
                self.here = directory;
                self.levels.push(Level { name, identity, below: Vec::new() });
                self.scan();
            }
            Err(Errno::ENOENT) => {}
            // Something else was put in its place since it was listed.
            Err(Errno::ENOTDIR | Errno::ELOOP) => match self.meet(&name, None) {
                Ok(Met::Done) | Err(Errno::ENOENT) => {}
                Ok(Met::Directory) => self.failed(&name, Errno::EAGAIN),
                Err(errno) => self.failed(&name, errno),
            },
            Err(errno) => self.failed(&name, errno),
        }
    }

    fn open(&self, name: &CStr) -> Result<(OwnedFd, Identity), Errno> {
        let removes = matches!(self.task, Task::Empty | Task::Unshare);
        let directory = match openat(&self.here, name, DIRECTORY, Mode::empty()) {
            // Trees keep the modes of the source, and who is not root is bound by them.
            Err(Errno::EACCES) if removes => {
                fchmodat(&self.here, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink)?;
                openat(&self.here, name, DIRECTORY, Mode::empty())?
            }
            opened => opened?,
        };
        let stat = fstat(&directory)?;
        let identity = Identity::of(&stat);
        // Somebody mounted something in there: it is not part of this tree.
        if !self.levels[0].identity.same_file_system(identity) {
            return Err(Errno::EXDEV);
        }
        let mode = Mode::from_bits_truncate(stat.st_mode);
        if removes && !mode.contains(Mode::S_IRWXU) {
            fchmod(&directory, mode | Mode::S_IRWXU)?;
        }
        if let Task::Give(to) = self.task
            && (stat.st_uid, stat.st_gid) != (to.uid.as_raw(), to.gid.as_raw())
        {
            fchown(&directory, Some(to.uid), Some(to.gid))?;
        }
        Ok((directory, identity))
    }

    /// Back to the parent.
    fn leave(&mut self) -> io::Result<()> {
        let parent = openat(&self.here, c"..", DIRECTORY, Mode::empty())?;
        let Some(left) = self.levels.pop() else { return Ok(()) };
        if self.levels.last().map(|level| level.identity) != Some(Identity::of(&fstat(&parent)?)) {
            let moved = format!("{} was moved elsewhere meanwhile", self.path(&left.name).display());
            return Err(io::Error::other(moved));
        }
        self.here = parent;
        if self.task == Task::Empty {
            match unlinkat(&self.here, left.name.as_c_str(), UnlinkatFlags::RemoveDir) {
                Ok(()) => self.walked.removed += 1,
                Err(Errno::ENOENT) => {}
                // What is left in it has been counted.
                Err(Errno::ENOTEMPTY | Errno::EEXIST) if self.walked.failures > 0 => {}
                Err(errno) => self.failed(&left.name, errno),
            }
        }
        Ok(())
    }

    fn failed(&mut self, name: &CStr, errno: Errno) {
        self.walked.failures += 1;
        if self.walked.first_failure.is_none() {
            self.walked.first_failure = Some((self.path(name), errno.into()));
        }
    }

    fn path(&self, name: &CStr) -> PathBuf {
        let above = self.levels.iter().skip(1).map(|level| level.name.as_c_str());
        above.chain([name]).map(|name| OsStr::from_bytes(name.to_bytes())).collect()
    }
}

/// What is theirs already is left alone, so that it does not become new to the next snapshot.
fn give(directory: &OwnedFd, name: &CStr, to: Account) -> Result<(), Errno> {
    let stat = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if (stat.st_uid, stat.st_gid) == (to.uid.as_raw(), to.gid.as_raw()) {
        return Ok(());
    }
    fchownat(directory, name, Some(to.uid), Some(to.gid), AtFlags::AT_SYMLINK_NOFOLLOW)
}

#[cfg(test)]
pub mod tests;
