//! A storage on any file system: every snapshot is a tree of its own, and what did not change is one inode in many.
//!
//! ```text
//! PATH/DATASET/.planb                     whose dataset this is: a fileset's name
//! PATH/DATASET/.new/data                  the tree under construction
//! PATH/DATASET/planb-20260102T0304Z/data  a snapshot
//! PATH/DATASET/.trash                     destroyed snapshots, still to be unlinked
//! ```
//!
//! A tree becomes a snapshot by one rename, and stops being one by one rename, so a snapshot is listed whole or not
//! at all, whenever the power goes. Nothing here writes to, or changes an attribute of, a file below a snapshot.
//!
//! Who fills the tree need not be who keeps the dataset: root keeps it, and user planb, who talks to the network, fills
//! `.new/data`. Files must be planb's own to be hard-linked (`fs.protected_hardlinks`, `proc_sys_fs(5)`), so what guards
//! history is above them: the dataset and each snapshot's top directory are root's and closed to planb, but for the one
//! snapshot that the new tree is linked from, as long as the transfer lasts. What remains: a transfer that was taken
//! over can write to files of that snapshot, and so to those of older ones that share an inode with it. Storages that
//! keep history by themselves (zfs, btrfs) do not have that weakness.

mod dataset;
mod descent;
mod open;
mod writeback;

pub use dataset::MARKER;
pub use open::Open;

use super::{Destroyed, Emptied, Error, Leftover, Listed, SnapshotName, Space};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::Automatic;
use crate::host::account::Account;
use crate::host::signals::Stop;
use dataset::Dataset;
use descent::{DIRECTORY, Task};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// The directory that holds the datasets.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Who fills workspaces: we ourselves, or whom we let.
    writer: Account,
}

impl Directory {
    pub fn new(path: PathBuf) -> Self {
        Self { path, writer: Account::own() }
    }

    pub fn filled_by(self, writer: Account) -> Self {
        Self { writer, ..self }
    }

    pub fn open(&self, dataset: &DatasetName, fileset: &Name, stop: &Stop) -> Result<Open, Error> {
        let root = self.root()?;
        let dataset = Dataset::create(&root, &self.path, dataset, fileset)?;
        Open::new(dataset, self.writer, stop)
    }

    /// Shuts every snapshot that a killed run left open to its writer.
    pub fn close(&self, dataset: &DatasetName) -> Result<(), Error> {
        match self.dataset(dataset)? {
            Some(dataset) => open::shut_all(&dataset),
            None => Ok(()),
        }
    }

    pub fn has_trash(&self, dataset: &DatasetName) -> Result<bool, Error> {
        let Some(dataset) = self.dataset(dataset)? else { return Ok(false) };
        let Some(trash) = dataset.trash()? else { return Ok(false) };
        let path = dataset.trash_path();
        let mut entries = Dir::from_fd(trash).map_err(Error::io("list", &path))?;
        let dots = 2;
        Ok(entries.iter().nth(dots).is_some())
    }

    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, Error> {
        let Some(dataset) = self.dataset(dataset)? else { return Ok(Vec::new()) };
        let listed = |name: SnapshotName| Listed {
            path: dataset.path().join(name.to_string()).join(open::DATA),
            name,
            used: None,
            referenced: None,
        };
        Ok(dataset.snapshots()?.into_iter().map(listed).collect())
    }

    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, Error> {
        let mut result = Destroyed::default();
        let Some(dataset) = self.dataset(dataset)? else {
            result.skipped.extend(snapshots.iter().map(|&name| (name, "it is not there".to_owned())));
            return Ok(result);
        };
        let there: BTreeSet<Automatic> = dataset
            .snapshots()?
            .into_iter()
            .filter_map(|name| match name {
                SnapshotName::Automatic(name) => Some(name),
                SnapshotName::Kept(_) => None,
            })
            .collect();
        let doomed: BTreeSet<Automatic> = snapshots.iter().copied().collect();
        // Every plan keeps it. Whatever went wrong that one does not: here it ends.
        if let Some(newest) = there.last().filter(|newest| doomed.contains(newest)) {
            return Err(Error::Newest { path: dataset.path().join(newest.to_string()) });
        }
        for name in doomed {
            let discarded =
                if there.contains(&name) { dataset.discard(&name.to_string()) } else { Err(Errno::ENOENT) };
            match discarded {
                Ok(()) => result.destroyed.push(name),
                Err(Errno::ENOENT) => result.skipped.push((name, "it is not there".to_owned())),
                Err(errno) => result.skipped.push((name, errno.desc().to_owned())),
            }
        }
        if !result.destroyed.is_empty() {
            dataset.sync()?;
        }
        Ok(result)
    }

    pub fn empty_trash(&self, dataset: &DatasetName, stop: &Stop) -> Result<Emptied, Error> {
        let Some(dataset) = self.dataset(dataset)? else { return Ok(Emptied::default()) };
        let Some(trash) = dataset.trash()? else { return Ok(Emptied::default()) };
        // Nothing is unlinked before the rename that took it out of the list is on the disk.
        dataset.sync()?;
        let path = dataset.trash_path();
        let walked = descent::walk(trash, Task::Empty, stop).map_err(Error::io("empty", &path))?;
        match walked.first_failure {
            Some((first, source)) => {
                Err(Error::NotRemoved { path, failures: walked.failures, first, source })
            }
            None => Ok(Emptied { removed: walked.removed, stopped: walked.stopped }),
        }
    }

    pub fn space(&self, dataset: &DatasetName) -> Result<Space, Error> {
        // A dataset can be a disk of its own.
        let stat = match self.dataset(dataset)? {
            Some(dataset) => fstatvfs(dataset),
            None => fstatvfs(self.root()?),
        };
        let stat = stat.map_err(Error::io("measure the file system of", &self.path))?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
        // File systems that have inodes without number say that they have none at all.
        let inodes_left = stat.files() == 0 || stat.files_available() > 0;
        let available = if inodes_left { bytes(stat.blocks_available()) } else { 0 };
        Ok(Space { total: bytes(stat.blocks()), available })
    }

    fn root(&self) -> Result<OwnedFd, Error> {
        let path = || self.path.clone();
        if !self.path.is_absolute() {
            return Err(Error::NotAbsolute { path: path() });
        }
        // The path itself is the administrator's, links in it are too.
        match open(&self.path, DIRECTORY - OFlag::O_NOFOLLOW, Mode::empty()) {
            Ok(root) => Ok(root),
            Err(Errno::ENOENT) => Err(Error::Missing { path: path() }),
            Err(Errno::ENOTDIR) => Err(Error::NotADirectory { path: path() }),
            Err(errno) => Err(Error::io("open the storage", path())(errno)),
        }
    }

    fn dataset(&self, dataset: &DatasetName) -> Result<Option<Dataset>, Error> {
        Dataset::find(&self.root()?, &self.path, dataset)
    }
}

#[cfg(test)]
mod tests;
