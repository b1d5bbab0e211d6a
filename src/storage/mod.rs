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
mod place;
mod zfs;

pub use copied::{Copied, Frozen, Origin, Partial};
pub use error::Error;
pub use zfs::{Below, Claim, Expected, Received, Replica};

use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::{Automatic, Kept, Snapshot};
use crate::fileset::workspace::Workspace;
use crate::fileset::zfs::Filesystem;
use crate::host::account::Account;
use crate::host::paths::Paths;
use crate::host::presence::Presence;
use crate::host::signals::Stop;
use crate::keys::Keys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// A `[storage.NAME]` table, valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settings {
    /// A directory on any file system: history is kept as trees of hard links.
    Directory {
        /// An absolute path.
        path: PathBuf,
    },
    /// A directory of a btrfs: a dataset is a subvolume, history is read-only snapshots of it.
    Btrfs {
        /// An absolute path.
        path: PathBuf,
    },
    /// Below a file system of a pool: a dataset is a file system of its own.
    Zfs {
        /// What the datasets are children of.
        parent: Filesystem,
        /// Where the parent's children are mounted, an absolute path.
        path: PathBuf,
    },
}

impl Settings {
    /// The directory below which the datasets are, and nothing else is of anybody's concern.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory { path } | Self::Btrfs { path } | Self::Zfs { path, .. } => path,
        }
    }

    /// The `type` that it was written with.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "directory",
            Self::Btrfs { .. } => "btrfs",
            Self::Zfs { .. } => "zfs",
        }
    }

    /// What the datasets are children of, where they are not only directories.
    pub fn parent(&self) -> Option<&Filesystem> {
        match self {
            Self::Directory { .. } | Self::Btrfs { .. } => None,
            Self::Zfs { parent, .. } => Some(parent),
        }
    }

    /// What a transfer must reach of a dataset: where trees are linked from each other, all of it; where files are
    /// updated in place, these alone, and nothing of the history.
    pub fn reach(&self, dataset: &DatasetName) -> PathBuf {
        let dataset = self.path().join(dataset);
        match self {
            Self::Directory { .. } => dataset,
            Self::Btrfs { .. } | Self::Zfs { .. } => dataset.join(DATA),
        }
    }

    /// What the storage itself calls a dataset.
    pub fn name_of(&self, dataset: &DatasetName) -> String {
        match self {
            Self::Directory { path } | Self::Btrfs { path } => {
                path.join(dataset).to_string_lossy().into_owned()
            }
            Self::Zfs { parent, .. } => parent.child(dataset),
        }
    }

    /// What a person calls who wants to be rid of a dataset and all its snapshots. We never do. `is_container`: there are
    /// datasets of another host below it.
    pub fn destroying(&self, dataset: &DatasetName, is_container: bool) -> String {
        let quoted = |path: PathBuf| format!("'{}'", path.display());
        match self {
            Self::Directory { path } => format!("rm -rf --one-file-system {}", quoted(path.join(dataset))),
            Self::Btrfs { path } => {
                let path = quoted(path.join(dataset));
                // Each subvolume by the inode that only their top directories have, but for what is inside of one.
                format!(
                    "find {path} -mindepth 1 -maxdepth 3 -inum 256 -prune -exec btrfs subvolume delete {{}} + && \
                     rm -rf --one-file-system {path}"
                )
            }
            Self::Zfs { parent, .. } if is_container => {
                let hold = zfs::HOLD;
                format!(
                    "zfs list -Hro name -t snapshot {parent}/{dataset} | xargs -rn1 zfs release {hold}; zfs destroy -r \
                     {parent}/{dataset}"
                )
            }
            Self::Zfs { parent, .. } => format!("zfs destroy -r {parent}/{dataset}"),
        }
    }
}

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

/// What an earlier run that never came to its end left in a dataset.
#[derive(Debug)]
pub enum Leftover {
    None,
    /// Part of a tree: the workspace holds it, and the transfer goes on from there.
    Resumed,
    /// Something that is not safe to go on with, and why: it is in the trash now, the transfer begins anew.
    Discarded(Box<Error>),
}

/// The name of a snapshot that is ours: it cannot name anything else in a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotName {
    Automatic(Automatic),
    Kept(Kept),
}

/// A snapshot that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: SnapshotName,
    /// Of the files as they were. It may have to be mounted first.
    pub path: PathBuf,
    /// Bytes that destroying it would free, where the storage knows.
    pub used: Option<u64>,
    /// Bytes of its files, where the storage knows.
    pub referenced: Option<u64>,
}

/// What became of snapshots that were to be destroyed: each is in one of the two.
#[derive(Debug, Default)]
pub struct Destroyed {
    /// No longer listed.
    pub destroyed: Vec<Automatic>,
    /// Still as they were, and why.
    pub skipped: Vec<(Automatic, String)>,
}

impl Destroyed {
    /// None of these is there.
    fn nothing_of(snapshots: &[Automatic]) -> Self {
        let skipped = snapshots.iter().map(|&name| (name, "it is not there".to_owned())).collect();
        Self { destroyed: Vec::new(), skipped }
    }
}

/// What emptying the trash came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Emptied {
    /// Files and directories.
    pub removed: u64,
    /// Whether it was stopped before the end. The next time goes on.
    pub stopped: bool,
}

/// A dataset that is there, whether a fileset has it or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub name: DatasetName,
    /// Whose it says that it is.
    pub fileset: Option<String>,
    pub snapshots: usize,
    /// When the newest snapshot was made.
    pub newest: Option<OffsetDateTime>,
    /// Bytes of all that is in it, where the storage knows.
    pub used: Option<u64>,
    /// There are datasets below it.
    pub is_container: bool,
}

/// A dataset of the fileset `old` that is to be `new`'s, and called `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    pub from: DatasetName,
    pub to: DatasetName,
    pub old: Name,
    pub new: Name,
}

impl Rename {
    /// Whether the dataset itself gets another name.
    pub fn moves(&self) -> bool {
        self.from != self.to
    }
}

/// Somebody who needs a dataset to be open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub errand: Errand,
    /// A person's name; of a run none.
    pub who: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// It lasts as long as this lives; absent: until somebody closes the dataset.
    pub process: Option<Presence>,
}

/// What a dataset is open for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Errand {
    /// A backup.
    Run,
    /// A shell to look around in, or another look.
    Look,
    /// Whatever a person who opened it wants.
    Open,
}

/// What closing a dataset for people came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shut {
    Closed,
    WasClosed,
    /// These are in it, and nothing was changed.
    InUse(Vec<User>),
    /// It was mounted by other hands, and stays so.
    ByOtherHands,
    /// Here a dataset is always open.
    NeverClosed,
}

/// Room for a dataset, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// For somebody without privileges. None where the file system has no inode left either.
    pub available: u64,
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

impl SnapshotName {
    /// Of any text: `None` where it is not one of our names.
    pub fn parse(text: &str) -> Option<Self> {
        match Snapshot::from(text) {
            Snapshot::Automatic(name) => Some(Self::Automatic(name)),
            Snapshot::Kept(name) => Some(Self::Kept(name)),
            Snapshot::Foreign(_) => None,
        }
    }

    pub fn time(&self) -> OffsetDateTime {
        match self {
            Self::Automatic(name) => name.time(),
            Self::Kept(name) => name.time(),
        }
    }
}

impl From<SnapshotName> for Snapshot {
    fn from(name: SnapshotName) -> Self {
        match name {
            SnapshotName::Automatic(name) => Self::Automatic(name),
            SnapshotName::Kept(name) => Self::Kept(name),
        }
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Automatic(name) => name.fmt(f),
            Self::Kept(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
pub mod tests;
