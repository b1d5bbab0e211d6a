//! What there is: snapshots, datasets, room.

use super::SnapshotName;
use crate::fileset::name::DatasetName;
use std::path::PathBuf;
use time::OffsetDateTime;

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

/// Room for a dataset, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// For somebody without privileges. None where the file system has no inode left either.
    pub available: u64,
}
