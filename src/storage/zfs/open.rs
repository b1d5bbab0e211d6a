//! A dataset that is mounted and written to.

use super::super::{DATA, Error, Leftover, SnapshotName};
use super::command::zfs;
use super::dataset::Dataset;
use super::mount::{self, Marks};
use crate::fileset::reason::chain;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::account::Account;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::fchown;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Nothing of ours is to be read by others than root and who writes it.
const PRIVATE: Mode = Mode::S_IRWXU;

#[derive(Debug)]
pub struct Open {
    workspace: Workspace,
    leftover: Leftover,
    mounted: Mounted,
}

/// A mount that ends when this is dropped, if it was made for it.
#[derive(Debug)]
pub struct Mounted {
    pub dataset: Dataset,
    pub marks: Marks,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = mount::close(&self.dataset.name, &self.marks) {
            // The mark stays: whoever closes next tries again.
            log::error!("{} is still open: {}", self.dataset.name, chain(&error));
        }
    }
}

impl Open {
    /// Of what is mounted.
    pub fn new(mounted: Mounted, writer: Account) -> Result<Self, Error> {
        let path = mounted.dataset.path.join(DATA);
        let top = open(&mounted.dataset.path, DIRECTORY, Mode::empty())
            .map_err(Error::io("open", &mounted.dataset.path))?;
        let is_new = match mkdirat(&top, DATA, PRIVATE) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(Error::io("create", &path)(errno)),
        };
        if is_new {
            fchmod(&top, PRIVATE).map_err(Error::io("shut", &mounted.dataset.path))?;
        }
        let data = openat(&top, DATA, DIRECTORY, Mode::empty()).map_err(Error::io("open", &path))?;
        give(&data, &path, &mounted, writer)?;
        // A successful run ends in a snapshot, after which nothing is written.
        let is_leftover = !is_new && mounted.dataset.written > 0 && has_entries(&path);
        let leftover = if is_leftover { Leftover::Resumed } else { Leftover::None };
        Ok(Self { workspace: Workspace::new(path, Writes::InPlace), leftover, mounted })
    }

    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    pub fn leftover(&self) -> &Leftover {
        &self.leftover
    }

    pub fn snapshot(self, name: &SnapshotName) -> Result<PathBuf, Error> {
        let Dataset { name: filesystem, path, .. } = &self.mounted.dataset;
        zfs(&["snapshot", &format!("{filesystem}@{name}")])?;
        Ok(files_of(path, name))
    }
}

/// Where the files of a snapshot are.
pub fn files_of(dataset: &Path, snapshot: &SnapshotName) -> PathBuf {
    dataset.join(".zfs/snapshot").join(snapshot.to_string()).join(DATA)
}

/// The files' top directory becomes the writer's. What another user has filled it could not change.
fn give(data: &OwnedFd, path: &Path, mounted: &Mounted, writer: Account) -> Result<(), Error> {
    let owner = fstat(data).map_err(Error::io("look at", path))?.st_uid;
    if owner == writer.uid.as_raw() || writer.uid.is_root() {
        return Ok(());
    }
    if has_entries(path) {
        let (filesystem, path) = (mounted.dataset.name.clone(), path.to_owned());
        return Err(super::Error::OtherWriter { filesystem, owner, writer: writer.uid.as_raw(), path }.into());
    }
    fchown(data, Some(writer.uid), Some(writer.gid)).map_err(Error::io("give away", path))
}

fn has_entries(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
}
