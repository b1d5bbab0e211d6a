//! A dataset that is mounted and written to.

use super::command::zfs;
use super::dataset::Dataset;
use super::error::{Error as ZfsError, READ_ONLY_POOL};
use super::marks::Marks;
use super::mount::{leave, mount_of};
use crate::fileset::reason::chain;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::account::Account;
use crate::host::signals::Stop;
use crate::storage::descent::{DIRECTORY, Identity, same_mount};
use crate::storage::handover::give;
use crate::storage::{DATA, Error, Leftover, SnapshotName, User};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, open, openat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat, mkdirat};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::fchown;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Nobody but who runs the backups: a dataset holds a whole host's secrets. Who fills it is shown its files alone, by way
/// of another mount.
const PRIVATE: Mode = Mode::S_IRWXU;

#[derive(Debug)]
pub struct Open {
    workspace: Workspace,
    leftover: Leftover,
    /// Both are closed before the dataset is.
    top: OwnedFd,
    identity: Identity,
    mounted: Mounted,
}

/// A mount that somebody has left when this is dropped.
#[derive(Debug)]
pub struct Mounted {
    pub dataset: Dataset,
    pub marks: Marks,
    pub user: User,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let Self { dataset, marks, user } = self;
        if let Err(error) = leave(&dataset.name, &dataset.path, marks, user) {
            // The marks stay: whoever closes next tries again.
            log::error!("failed to close {}: {}", dataset.name, chain(&error));
        }
    }
}

impl Open {
    /// Of what is mounted.
    pub fn new(mounted: Mounted, writer: Account, stop: &Stop) -> Result<Self, Error> {
        let top = top(&mounted.dataset)?;
        let path = mounted.dataset.path.join(DATA);
        let (data, made) = data(&mounted.dataset, &top, &path)?;
        let stat = fstat(&data).map_err(Error::io("look at", &path))?;
        // A successful run ends in a snapshot, after which nothing is written.
        let unfinished = !made && mounted.dataset.written > 0 && has_entries(&data, &path)?;
        if stat.st_uid != writer.uid.as_raw() {
            if made || writer == Account::own() {
                // Who is root can change what is others'. That it is not all root's tells the next who is not.
                fchown(&data, Some(writer.uid), Some(writer.gid)).map_err(Error::io("give away", &path))?;
            } else {
                give(&path, &data, writer, stop)?;
            }
        }
        let leftover = if unfinished { Leftover::Resumed } else { Leftover::None };
        let workspace = Workspace::new(path, Writes::InPlace).on_holes(mounted.dataset.makes_holes);
        Ok(Self { workspace, leftover, top, identity: Identity::of(&stat), mounted })
    }

    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    pub fn leftover(&self) -> &Leftover {
        &self.leftover
    }

    pub fn snapshot(self, name: &SnapshotName) -> Result<PathBuf, Error> {
        let Dataset { name: filesystem, path, .. } = &self.mounted.dataset;
        let now = fstatat(&self.top, DATA, AtFlags::AT_SYMLINK_NOFOLLOW);
        if now.map(|stat| Identity::of(&stat)) != Ok(self.identity) {
            return Err(Error::Replaced { path: self.workspace.path().to_owned() });
        }
        // zfs writes to the disks what was written before it makes the snapshot, and ends when both are there.
        match zfs(&["snapshot", &format!("{filesystem}@{name}")]) {
            Err(ZfsError::Failed { said, .. }) if said.contains("already exists") => {
                Err(Error::Exists { path: files_of(path, name) })
            }
            made => made.map(|_| files_of(path, name)).map_err(Error::from),
        }
    }
}

/// Where the files of a snapshot are.
pub fn files_of(dataset: &Path, snapshot: &SnapshotName) -> PathBuf {
    snapshots_of(dataset).join(snapshot.to_string()).join(DATA)
}

/// Where the snapshots are, as directories.
pub fn snapshots_of(dataset: &Path) -> PathBuf {
    dataset.join(".zfs/snapshot")
}

/// The dataset's top directory: root's, and closed to all others.
pub fn top(dataset: &Dataset) -> Result<OwnedFd, Error> {
    let path = &dataset.path;
    let top = open(path, DIRECTORY, Mode::empty()).map_err(Error::io("open", path))?;
    let stat = fstat(&top).map_err(Error::io("look at", path))?;
    // What is there may be on top of it, or in its place.
    if mount_of(&dataset.name)?.map(|mount| mount.device) != Some(stat.st_dev) {
        let what = "something else is mounted there";
        return Err(ZfsError::InTheWay { path: path.clone(), what }.into());
    }
    let flags = fstatvfs(&top).map_err(Error::io("look at", path))?.flags();
    if flags.contains(FsFlags::ST_RDONLY) {
        let (filesystem, remedy) = (dataset.name.clone(), READ_ONLY_POOL.to_owned());
        return Err(ZfsError::ReadOnly { filesystem, remedy }.into());
    }
    let Account { uid, gid } = Account::own();
    if (stat.st_uid, stat.st_gid) != (uid.as_raw(), gid.as_raw()) {
        fchown(&top, Some(uid), Some(gid)).map_err(Error::io("take", path))?;
    }
    if mode(&stat) != PRIVATE {
        fchmod(&top, PRIVATE).map_err(Error::io("shut", path))?;
    }
    Ok(top)
}

/// The directory that is written to, and whether it was made just now.
fn data(dataset: &Dataset, top: &OwnedFd, path: &Path) -> Result<(OwnedFd, bool), Error> {
    let made = match mkdirat(top, DATA, PRIVATE) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        // A quota, too, can be what is used up.
        Err(Errno::ENOSPC | Errno::EDQUOT) => {
            return Err(ZfsError::Full { filesystem: dataset.name.clone() }.into());
        }
        Err(errno) => return Err(Error::io("create", path)(errno)),
    };
    let not_ours = || ZfsError::NotOurs { filesystem: dataset.name.clone(), path: path.to_owned() };
    match openat(top, DATA, DIRECTORY, Mode::empty()) {
        Ok(data) if same_mount(&data, top).map_err(Error::io("look at", path))? => Ok((data, made)),
        // Another file system, which would be in no snapshot.
        Ok(_) => Err(Error::MountPoint { path: path.to_owned() }),
        Err(Errno::ENOTDIR | Errno::ELOOP) => Err(not_ours().into()),
        Err(errno) => Err(Error::io("open", path)(errno)),
    }
}

fn mode(stat: &FileStat) -> Mode {
    Mode::from_bits_truncate(stat.st_mode)
}

fn has_entries(data: &OwnedFd, path: &Path) -> Result<bool, Error> {
    let failed = || Error::io::<Errno>("list", path);
    let mut entries = Dir::openat(data, c".", DIRECTORY, Mode::empty()).map_err(failed())?;
    let dots = 2;
    Ok(entries.iter().nth(dots).is_some())
}
