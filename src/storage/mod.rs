//! Where datasets live. One variant per kind of storage; none knows how data gets into a workspace.
//!
//! A dataset belongs to one fileset, holds its workspace and its snapshots. Who opens, snapshots or destroys holds the
//! lock of that fileset; listing and measuring need none, and emptying the trash must work without it.

mod btrfs;
mod copied;
mod dataset;
mod descent;
mod directory;
mod error;
mod handover;
pub mod health;
pub mod key;
mod listed;
mod name;
mod outcome;
mod place;
mod rename;
mod settings;
mod user;
mod zfs;

pub use copied::{ASIDE, Copied, Frozen, Origin, Partial};
pub use error::Error;
pub use listed::{Held, Listed, Space};
pub use name::SnapshotName;
pub use outcome::{Destroyed, Emptied, Leftover};
pub use rename::Rename;
pub use settings::Settings;
pub use user::{Errand, Shut, User};
pub use zfs::{Below, Expected, Received, Replica};

use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::Automatic;
use crate::fileset::workspace::Workspace;
use crate::host::account::Account;
use crate::host::paths::Paths;
use crate::host::signals::Stop;
use crate::keys::Keys;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The files as they are, in a dataset, and as they were, in a snapshot.
pub const DATA: &str = "data";

/// A place that holds datasets.
#[derive(Debug)]
pub enum Storage {
    Directory(directory::Directory),
    Btrfs(btrfs::Btrfs),
    Zfs(zfs::Zfs),
}

/// A dataset that can be written to. Dropping it releases what it holds; what was transferred stays in the dataset
/// for the next opening to go on with.
#[derive(Debug)]
pub enum Open {
    Directory(directory::Open),
    Btrfs(btrfs::Open),
    Zfs(zfs::Open),
}

impl Storage {
    /// `paths`: of PlanB's own files; what is opened is noted there until it is closed.
    pub fn new(settings: &Settings, paths: &Paths) -> Self {
        let place = |path: &PathBuf| place::Place::new(path.clone(), paths.state());
        match settings {
            Settings::Directory { path } => Self::Directory(directory::Directory::new(place(path))),
            Settings::Btrfs { path } => Self::Btrfs(btrfs::Btrfs::new(place(path))),
            Settings::Zfs { parent, path } => {
                Self::Zfs(zfs::Zfs::new(parent.clone(), path.clone(), paths.runtime()))
            }
        }
    }

    /// The same storage, whose workspaces somebody else fills: they get what that takes, and no more.
    #[must_use]
    pub fn filled_by(self, writer: Account) -> Self {
        match self {
            Self::Directory(storage) => Self::Directory(storage.filled_by(writer)),
            Self::Btrfs(storage) => Self::Btrfs(storage.filled_by(writer)),
            Self::Zfs(storage) => Self::Zfs(storage.filled_by(writer)),
        }
    }

    /// Opens a dataset that is there for `user` to look at, and tells where its snapshots are, as directories.
    pub fn visit(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        user: &User,
        stop: &Stop,
    ) -> Result<PathBuf, Error> {
        match self {
            Self::Directory(storage) => storage.place().visit(dataset),
            Self::Btrfs(storage) => storage.place().visit(dataset),
            Self::Zfs(storage) => storage.visit(dataset, fileset, keys, user, stop),
        }
    }

    /// Ends a visit. The last one out closes the dataset, if it was not open before.
    pub fn leave(&self, dataset: &DatasetName, user: &User) -> Result<(), Error> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Ok(()),
            Self::Zfs(storage) => storage.leave(dataset, user),
        }
    }

    /// Closes a dataset for all who opened it without a shell.
    pub fn shut(&self, dataset: &DatasetName) -> Result<Shut, Error> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Ok(Shut::NeverClosed),
            Self::Zfs(storage) => storage.shut(dataset),
        }
    }

    /// Closes what a killed run left open.
    pub fn close(&self, dataset: &DatasetName) -> Result<(), Error> {
        match self {
            Self::Directory(storage) => storage.close(dataset),
            // A subvolume needs no mount of its own, and what is closed to its writer stays so during a run.
            Self::Btrfs(_) => Ok(()),
            Self::Zfs(storage) => storage.close(dataset),
        }
    }

    /// Whether destroyed snapshots still take room that emptying the trash would free.
    pub fn has_trash(&self, dataset: &DatasetName) -> Result<bool, Error> {
        match self {
            Self::Directory(storage) => storage.has_trash(dataset),
            Self::Btrfs(storage) => storage.has_trash(dataset),
            // What is destroyed there is freed by itself, in the background.
            Self::Zfs(_) => Ok(false),
        }
    }

    /// Makes the dataset ready to be written to; creates it where it is missing. `fileset` is who owns it; with `keys` it
    /// is encrypted, and without it is not.
    pub fn open(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Open, Error> {
        match self {
            Self::Directory(storage) => storage.open(dataset, fileset, stop).map(Open::Directory),
            Self::Btrfs(storage) => storage.open(dataset, fileset, stop).map(Open::Btrfs),
            Self::Zfs(storage) => storage.open(dataset, fileset, keys, stop).map(Open::Zfs),
        }
    }

    /// Opens the dataset as one that holds copies of another host's datasets.
    pub fn replica(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Replica, Error> {
        match self {
            Self::Zfs(storage) => storage.replica(dataset, fileset, keys, stop),
            Self::Directory(_) | Self::Btrfs(_) => {
                Err(zfs::Error::NoReplica { filesystem: dataset.to_string() }.into())
            }
        }
    }

    /// The snapshots of a dataset, oldest first; none where there is no dataset yet. What others put there is left out.
    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, Error> {
        match self {
            Self::Directory(storage) => storage.snapshots(dataset),
            Self::Btrfs(storage) => storage.snapshots(dataset),
            Self::Zfs(storage) => storage.snapshots(dataset),
        }
    }

    /// The snapshots of many datasets, in the order of these: for the cost of one where the storage can.
    pub fn snapshots_of(&self, datasets: &[&DatasetName]) -> Vec<Result<Vec<Listed>, Error>> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => {
                datasets.iter().map(|dataset| self.snapshots(dataset)).collect()
            }
            Self::Zfs(storage) => storage.snapshots_of(datasets),
        }
    }

    /// Destroys snapshots. Only automatic ones can be named, and the newest of them is refused.
    ///
    /// This is quick whatever their size: the room may only come free when the trash is emptied.
    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, Error> {
        match self {
            Self::Directory(storage) => storage.destroy(dataset, snapshots),
            Self::Btrfs(storage) => storage.destroy(dataset, snapshots),
            Self::Zfs(storage) => storage.destroy(dataset, snapshots),
        }
    }

    /// The automatic snapshots that cannot be destroyed, since somebody needs them: retention leaves them alone.
    pub fn in_use(&self, dataset: &DatasetName) -> Result<BTreeSet<Automatic>, Error> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Ok(BTreeSet::new()),
            Self::Zfs(storage) => storage.in_use(dataset),
        }
    }

    /// Frees the room of destroyed snapshots. It can take long and needs no lock: it may run beside anything,
    /// itself included, and whatever ends it early, the next time goes on from there.
    pub fn empty_trash(&self, dataset: &DatasetName, stop: &Stop) -> Result<Emptied, Error> {
        match self {
            Self::Directory(storage) => storage.empty_trash(dataset, stop),
            Self::Btrfs(storage) => storage.empty_trash(dataset, stop),
            Self::Zfs(_) => Ok(Emptied::default()),
        }
    }

    /// All datasets, by name.
    pub fn datasets(&self) -> Result<Vec<Held>, Error> {
        match self {
            Self::Directory(storage) => storage.place().datasets(),
            Self::Btrfs(storage) => storage.place().datasets(),
            Self::Zfs(storage) => storage.datasets(),
        }
    }

    /// Whether there is a dataset to rename, and nothing in the way. Changes nothing.
    pub fn may_rename(&self, rename: &Rename) -> Result<bool, Error> {
        match self {
            Self::Directory(storage) => storage.place().may_rename(rename),
            Self::Btrfs(storage) => storage.place().may_rename(rename),
            Self::Zfs(storage) => storage.may_rename(rename),
        }
    }

    /// Renames a dataset with all its snapshots. One that was interrupted is gone on with; where there is nothing to
    /// rename nothing happens.
    pub fn rename(&self, rename: &Rename) -> Result<(), Error> {
        match self {
            Self::Directory(storage) => storage.place().rename(rename),
            Self::Btrfs(storage) => storage.place().rename(rename),
            Self::Zfs(storage) => storage.rename(rename),
        }
    }

    /// The room there is for a dataset, whether it exists already or not.
    pub fn space(&self, dataset: &DatasetName) -> Result<Space, Error> {
        match self {
            Self::Directory(storage) => storage.space(dataset),
            Self::Btrfs(storage) => storage.space(dataset),
            Self::Zfs(storage) => storage.space(dataset),
        }
    }
}

impl Open {
    /// What a transport fills. One transport, once: to fill it again, open the dataset again.
    pub fn workspace(&self) -> &Workspace {
        match self {
            Self::Directory(open) => open.workspace(),
            Self::Btrfs(open) => open.workspace(),
            Self::Zfs(open) => open.workspace(),
        }
    }

    /// What an earlier run left unfinished.
    pub fn leftover(&self) -> &Leftover {
        match self {
            Self::Directory(open) => open.leftover(),
            Self::Btrfs(open) => open.leftover(),
            Self::Zfs(open) => open.leftover(),
        }
    }

    /// Freezes the workspace, and tells where its files are from now on. When this returns, all of it is on the
    /// disk. It ends the opening, because what is history now must not be written to any more.
    pub fn snapshot(self, name: &SnapshotName) -> Result<PathBuf, Error> {
        match self {
            Self::Directory(open) => open.snapshot(name),
            Self::Btrfs(open) => open.snapshot(name),
            Self::Zfs(open) => open.snapshot(name),
        }
    }
}

#[cfg(test)]
pub mod tests;
