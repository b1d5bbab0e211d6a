//! The tree under construction, from the first directory to the rename that makes it history.

use super::writeback::{MUCH, WriteBack};
use super::{DATA, Error, Leftover, SnapshotName};
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::account::Account;
use crate::host::signals::Stop;
use crate::storage::dataset::{Dataset, NEW, PRIVATE, make_directory};
use crate::storage::descent::{DIRECTORY, Identity, Task, is_directory, walk};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, openat};
use nix::sys::stat::{Mode, fchmod, fstat, fstatat};
use nix::unistd::{fchown, syncfs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Open {
    dataset: Dataset,
    workspace: Workspace,
    /// Held from before the first byte is written: a sync on it then reports every write that failed in between,
    /// which one opened later would not (fsync(2), since Linux 5.8 also syncfs(2)).
    data: OwnedFd,
    write_back: WriteBack,
    identity: Identity,
    leftover: Leftover,
    _reference: Option<Shared>,
}

impl Open {
    pub fn new(dataset: Dataset, writer: Account, stop: &Stop) -> Result<Self, Error> {
        let path = dataset.path().join(NEW).join(DATA);
        let leftover = match leftover(&dataset, &path, writer, stop) {
            // What cannot be made safe to write to is not worth the risk: a tree can be transferred again.
            Err(
                why @ (Error::NotRemoved { .. } | Error::NotADirectory { .. } | Error::OtherWriter { .. }),
            ) => {
                dataset.discard(NEW).map_err(Error::io("discard the unfinished tree", &path))?;
                Leftover::Discarded(Box::new(why))
            }
            found => found?,
        };
        let new = dataset.make_directory(NEW)?;
        let data = make_directory(new.as_fd(), DATA).map_err(Error::io("create", &path))?;
        let identity = identity(&data, &path)?;
        let reference = reference(&dataset)?;
        let mut shared = None;
        if writer != Account::own() {
            // Also what was made before it was somebody else who fills it.
            shut_all(&dataset)?;
            share(dataset.as_fd(), writer).map_err(Error::io("open to its writer", dataset.path()))?;
            share(new.as_fd(), writer).map_err(Error::io("open to its writer", &path))?;
            fchown(&data, Some(writer.uid), Some(writer.gid)).map_err(Error::io("give away", &path))?;
            if let Some(name) = &reference {
                let path = dataset.path().join(name.to_string());
                let top = openat(&dataset, name.to_string().as_str(), DIRECTORY, Mode::empty());
                let top = top.map_err(Error::io("open", &path))?;
                share(top.as_fd(), writer).map_err(Error::io("open to its writer", &path))?;
                shared = Some(Shared(top));
            }
        }
        let reference = reference.map(|name| dataset.path().join(name.to_string()).join(DATA));
        let write_back = data
            .try_clone()
            .and_then(|data| WriteBack::start(data, MUCH))
            .map_err(Error::io("have written while more comes", &path))?;
        let workspace = Workspace::new(path, Writes::Linked { reference });
        Ok(Self { dataset, workspace, data, write_back, identity, leftover, _reference: shared })
    }

    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    pub fn leftover(&self) -> &Leftover {
        &self.leftover
    }

    pub fn snapshot(self, name: &SnapshotName) -> Result<PathBuf, Error> {
        let path = self.dataset.path().join(name.to_string());
        // Said before the sync, which can take its time; the rename would not take the name either.
        if self.dataset.has(&name.to_string()) {
            return Err(Error::Exists { path });
        }
        let now = openat(&self.dataset, NEW, DIRECTORY, Mode::empty())
            .and_then(|new| fstatat(&new, DATA, AtFlags::AT_SYMLINK_NOFOLLOW).map(|stat| (new, stat)));
        if now.as_ref().map(|(_, stat)| Identity::of(stat)) != Ok(self.identity) {
            return Err(Error::Replaced { path: self.workspace.path().to_owned() });
        }
        let new = now.map_err(Error::io("look at", self.workspace.path()))?.0;
        fchmod(&new, PRIVATE).map_err(Error::io("shut", self.workspace.path()))?;
        // First the content, then the name: a listed snapshot is whole after a power cut too.
        self.write_back.end().map_err(Error::io("write to the disk", self.workspace.path()))?;
        syncfs(&self.data).map_err(Error::io("write to the disk", self.workspace.path()))?;
        self.dataset.publish(NEW, name)?;
        Ok(path.join(DATA))
    }
}

/// Makes what an earlier run left safe to go on with.
///
/// In the unfinished tree lie hard links into history, made by that run. A transfer that finds such a file with other
/// attributes than the source's would set them right in place, and so in every snapshot that shares the inode. So
/// before anybody writes, all links are unlinked here; they are linked anew where they still fit. What was transferred
/// has no other name, and stays.
fn leftover(dataset: &Dataset, path: &Path, writer: Account, stop: &Stop) -> Result<Leftover, Error> {
    let not_a_directory = || Error::NotADirectory { path: path.to_owned() };
    let new = match openat(dataset, NEW, DIRECTORY, Mode::empty()) {
        Ok(new) => new,
        Err(Errno::ENOENT) => return Ok(Leftover::None),
        Err(Errno::ENOTDIR | Errno::ELOOP) => return Err(not_a_directory()),
        Err(errno) => return Err(Error::io("open", path)(errno)),
    };
    match fstatat(&new, DATA, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) if !is_directory(&stat) => return Err(not_a_directory()),
        Ok(stat) if !Identity::of(&stat).same_file_system(dataset.identity()) => {
            return Err(Error::OtherFileSystem { path: path.to_owned() });
        }
        // What is in there the writer could neither change nor remove.
        Ok(stat) if stat.st_uid != writer.uid.as_raw() => {
            let (owner, writer) = (stat.st_uid, writer.uid.as_raw());
            return Err(Error::OtherWriter { path: path.to_owned(), owner, writer });
        }
        Ok(_) => {}
        Err(Errno::ENOENT) => return Ok(Leftover::None),
        Err(errno) => return Err(Error::io("look at", path)(errno)),
    }
    // From one level above, because the mode of the files' top directory is the source's too.
    let above = new.try_clone().map_err(Error::io("open", path))?;
    let walked = walk(above, Task::Unshare, stop).map_err(Error::io("walk through", path))?;
    if let Some((first, source)) = walked.first_failure {
        return Err(Error::NotRemoved { path: path.to_owned(), failures: walked.failures, first, source });
    }
    if walked.stopped {
        return Err(Error::Stopped);
    }
    let mut entries = Dir::openat(&new, DATA, DIRECTORY, Mode::empty()).map_err(Error::io("list", path))?;
    let dots = 2;
    let any = walked.removed > 0 || entries.iter().nth(dots).is_some();
    Ok(if any { Leftover::Resumed } else { Leftover::None })
}

/// The newest tree that is finished.
fn reference(dataset: &Dataset) -> Result<Option<SnapshotName>, Error> {
    let Some(name) = dataset.snapshots()?.pop() else { return Ok(None) };
    let path = dataset.path().join(name.to_string()).join(DATA);
    let data = format!("{name}/{DATA}");
    let stat = fstatat(dataset, data.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
    let stat = stat.map_err(Error::io("look at", &path))?;
    if !Identity::of(&stat).same_file_system(dataset.identity()) {
        return Err(Error::OtherFileSystem { path });
    }
    Ok(Some(name))
}

/// The top directory of the snapshot that a new tree is linked from; shut again when it is dropped.
#[derive(Debug)]
struct Shared(OwnedFd);

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = fchmod(&self.0, PRIVATE);
    }
}

/// Lets the writer's group go through a directory that stays ours.
fn share(directory: BorrowedFd<'_>, writer: Account) -> Result<(), Errno> {
    fchown(directory, None, Some(writer.gid))?;
    fchmod(directory, PRIVATE | Mode::S_IRGRP | Mode::S_IXGRP)
}

/// Shuts all snapshots, so that nobody but us goes through to their files.
pub fn shut_all(dataset: &Dataset) -> Result<(), Error> {
    for name in dataset.snapshots()? {
        let path = dataset.path().join(name.to_string());
        let top = openat(dataset, name.to_string().as_str(), DIRECTORY, Mode::empty())
            .map_err(Error::io("open", &path))?;
        let mode = fstat(&top).map_err(Error::io("look at", &path))?.st_mode;
        if Mode::from_bits_truncate(mode) != PRIVATE {
            fchmod(&top, PRIVATE).map_err(Error::io("shut", &path))?;
        }
    }
    Ok(())
}

fn identity(directory: &OwnedFd, path: &Path) -> Result<Identity, Error> {
    fstat(directory).map(|stat| Identity::of(&stat)).map_err(Error::io("look at", path))
}
