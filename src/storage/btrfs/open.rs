//! The live subvolume, from its making to the snapshot that freezes it.

use super::subvolume;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::account::Account;
use crate::host::signals::Stop;
use crate::storage::dataset::{Dataset, NEW};
use crate::storage::descent::{DIRECTORY, Identity, Task, same_mount};
use crate::storage::handover::{give, visit};
use crate::storage::{DATA, Error, Leftover, SnapshotName};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, openat};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::unistd::{fchown, syncfs};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Open {
    dataset: Dataset,
    workspace: Workspace,
    /// Held from before the first byte is written: a sync on it then reports every write that failed in between,
    /// which one opened later would not (fsync(2), since Linux 5.8 also syncfs(2)).
    data: OwnedFd,
    identity: Identity,
    leftover: Leftover,
}

impl Open {
    pub fn new(dataset: Dataset, writer: Account, stop: &Stop) -> Result<Self, Error> {
        let path = dataset.path().join(DATA);
        // Made when a run begins and gone when there is its snapshot.
        let unfinished = dataset.has(NEW);
        super::clear(&dataset)?;
        // Now and not when it is needed, because then the disk may be full.
        dataset.make_directory(NEW)?;
        let (data, made) = live(&dataset, &path)?;
        let stat = fstat(&data).map_err(Error::io("look at", &path))?;
        if made {
            fchown(&data, Some(writer.uid), Some(writer.gid)).map_err(Error::io("give away", &path))?;
        } else {
            refuse_inside(&path, &data, stop)?;
            if stat.st_uid != writer.uid.as_raw() {
                give(&path, &data, writer, stop)?;
            }
        }
        let leftover =
            if unfinished && has_entries(&data, &path)? { Leftover::Resumed } else { Leftover::None };
        let workspace = Workspace::new(path, Writes::InPlace);
        Ok(Self { dataset, workspace, data, identity: Identity::of(&stat), leftover })
    }

    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    pub fn leftover(&self) -> &Leftover {
        &self.leftover
    }

    pub fn snapshot(self, name: &SnapshotName) -> Result<PathBuf, Error> {
        let top = self.dataset.path().join(name.to_string());
        let path = self.workspace.path();
        // Said before the sync, which can take its time; the rename would not take the name either.
        if self.dataset.has(&name.to_string()) {
            return Err(Error::Exists { path: top });
        }
        let now = fstatat(&self.dataset, DATA, AtFlags::AT_SYMLINK_NOFOLLOW);
        if now.map(|stat| Identity::of(&stat)) != Ok(self.identity) {
            return Err(Error::Replaced { path: path.to_owned() });
        }
        let stop = Stop::new().map_err(Error::io("listen for nothing at", path))?;
        refuse_inside(path, &self.data, &stop)?;
        syncfs(&self.data).map_err(Error::io("write to the disk", path))?;
        subvolume::snapshot(path, &self.dataset.path().join(NEW).join(DATA))?;
        self.dataset.publish(NEW, name)?;
        Ok(top.join(DATA))
    }
}

/// The subvolume that is written to, and whether it was made just now.
fn live(dataset: &Dataset, path: &Path) -> Result<(OwnedFd, bool), Error> {
    let open = || openat(dataset, DATA, DIRECTORY, Mode::empty());
    let (data, made) = match open() {
        Err(Errno::ENOENT) => {
            subvolume::create(path)?;
            (open(), true)
        }
        found => (found, false),
    };
    let data = match data {
        Ok(data) => data,
        Err(Errno::ENOTDIR | Errno::ELOOP) => return Err(Error::NotASubvolume { path: path.to_owned() }),
        Err(errno) => return Err(Error::io("open", path)(errno)),
    };
    // A snapshot is made on the file system of the dataset, whatever somebody mounted on top.
    if !same_mount(&data, dataset).map_err(Error::io("look at", path))? {
        return Err(Error::MountPoint { path: path.to_owned() });
    }
    let stat = fstat(&data).map_err(Error::io("look at", path))?;
    if !subvolume::is_top(&stat) {
        return Err(Error::NotASubvolume { path: path.to_owned() });
    }
    Ok((data, made))
}

/// A snapshot has an empty directory where another subvolume is, and would be a success without those files.
fn refuse_inside(path: &Path, data: &OwnedFd, stop: &Stop) -> Result<(), Error> {
    if let Some(inside) = subvolume::inside(path)? {
        return match inside.split_first() {
            Some((first, others)) => Err(Error::Inside { path: path.join(first), others: others.len() }),
            None => Ok(()),
        };
    }
    // Only root may ask btrfs; anybody can look.
    visit(path, data, Task::Look, stop)
}

fn has_entries(data: &OwnedFd, path: &Path) -> Result<bool, Error> {
    let failed = || Error::io::<Errno>("list", path);
    let mut entries = Dir::openat(data, c".", DIRECTORY, Mode::empty()).map_err(failed())?;
    let dots = 2;
    Ok(entries.iter().nth(dots).is_some())
}
