//! Where datasets live. One variant per kind of storage; none knows how data gets into a workspace.
//!
//! A dataset belongs to one fileset, holds its workspace and its snapshots. Who opens, snapshots or destroys holds the
//! lock of that fileset; listing and measuring need none, and emptying the trash must work without it.

mod directory;
mod error;

pub use error::Error;

use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::{Automatic, Kept, Snapshot};
use crate::fileset::workspace::Workspace;
use crate::host::account::Account;
use crate::host::signals::Stop;
use std::fmt;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// A `[storage.NAME]` table, valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// A directory on any file system: history is kept as trees of hard links.
    Directory {
        /// An absolute path.
        path: PathBuf,
    },
}

impl Settings {
    /// The directory below which the datasets are.
    pub fn path(&self) -> &Path {
        let Self::Directory { path } = self;
        path
    }

    /// What the storage itself calls a dataset: its directory.
    pub fn name_of(&self, dataset: &DatasetName) -> String {
        self.path().join(dataset).to_string_lossy().into_owned()
    }
}

/// A place that holds datasets.
#[derive(Debug)]
pub enum Storage {
    Directory(directory::Directory),
}

/// A dataset that can be written to. Dropping it releases what it holds; what was transferred stays in the dataset
/// for the next opening to go on with.
#[derive(Debug)]
pub enum Open {
    Directory(directory::Open),
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

/// What emptying the trash came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Emptied {
    /// Files and directories.
    pub removed: u64,
    /// Whether it was stopped before the end. The next time goes on.
    pub stopped: bool,
}

/// Room for a dataset, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// For somebody without privileges. None where the file system has no inode left either.
    pub available: u64,
}

impl Storage {
    pub fn new(settings: &Settings) -> Self {
        match settings {
            Settings::Directory { path } => Self::Directory(directory::Directory::new(path.clone())),
        }
    }

    /// The same storage, whose workspaces somebody else fills: they get what that takes, and no more.
    #[must_use]
    pub fn filled_by(self, writer: Account) -> Self {
        match self {
            Self::Directory(storage) => Self::Directory(storage.filled_by(writer)),
        }
    }

    /// Closes what a killed run left open.
    pub fn close(&self, dataset: &DatasetName) -> Result<(), Error> {
        match self {
            Self::Directory(storage) => storage.close(dataset),
        }
    }

    /// Whether destroyed snapshots still take room that emptying the trash would free.
    pub fn has_trash(&self, dataset: &DatasetName) -> Result<bool, Error> {
        match self {
            Self::Directory(storage) => storage.has_trash(dataset),
        }
    }

    /// Makes the dataset ready to be written to; creates it where it is missing. `fileset` is who owns it.
    pub fn open(&self, dataset: &DatasetName, fileset: &Name, stop: &Stop) -> Result<Open, Error> {
        match self {
            Self::Directory(storage) => storage.open(dataset, fileset, stop).map(Open::Directory),
        }
    }

    /// The snapshots of a dataset, oldest first; none where there is no dataset yet. What others put there is left out.
    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, Error> {
        match self {
            Self::Directory(storage) => storage.snapshots(dataset),
        }
    }

    /// Destroys snapshots. Only automatic ones can be named, and the newest of them is refused.
    ///
    /// This is quick whatever their size: the room may only come free when the trash is emptied.
    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, Error> {
        match self {
            Self::Directory(storage) => storage.destroy(dataset, snapshots),
        }
    }

    /// Frees the room of destroyed snapshots. It can take long and needs no lock: it may run beside anything,
    /// itself included, and whatever ends it early, the next time goes on from there.
    pub fn empty_trash(&self, dataset: &DatasetName, stop: &Stop) -> Result<Emptied, Error> {
        match self {
            Self::Directory(storage) => storage.empty_trash(dataset, stop),
        }
    }

    /// The room there is for a dataset, whether it exists already or not.
    pub fn space(&self, dataset: &DatasetName) -> Result<Space, Error> {
        match self {
            Self::Directory(storage) => storage.space(dataset),
        }
    }
}

impl Open {
    /// What a transport fills. One transport, once: to fill it again, open the dataset again.
    pub fn workspace(&self) -> &Workspace {
        match self {
            Self::Directory(open) => open.workspace(),
        }
    }

    /// What an earlier run left unfinished.
    pub fn leftover(&self) -> &Leftover {
        match self {
            Self::Directory(open) => open.leftover(),
        }
    }

    /// Freezes the workspace, and tells where its files are from now on. When this returns, all of it is on the
    /// disk. It ends the opening, because what is history now must not be written to any more.
    pub fn snapshot(self, name: &SnapshotName) -> Result<PathBuf, Error> {
        match self {
            Self::Directory(open) => open.snapshot(name),
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
