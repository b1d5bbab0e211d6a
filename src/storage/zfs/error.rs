//! What stands in the way of a dataset on ZFS, and what the administrator should do about it.

use crate::fileset::name::Name;
use crate::host::process;
use crate::keys;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the pool {pool} is not there: import it (zpool import {pool})")]
    NoPool { pool: String },
    #[error(
        "the pool {pool} is {health}, nothing can be read or written: see zpool status {pool}, then zpool clear {pool}"
    )]
    PoolDown { pool: String, health: String },
    #[error("{filesystem} is read-only: {remedy}")]
    ReadOnly { filesystem: String, remedy: String },
    #[error(
        "{filesystem} belongs to the fileset {owner:?}: choose another dataset, or, if {owner:?} is gone for good, take it \
         over: zfs set planb:fileset={fileset} {filesystem}"
    )]
    BelongsToAnother { filesystem: String, owner: String, fileset: Name },
    #[error("{filesystem} is open for people: close it first (planb close)")]
    OpenForPeople { filesystem: String },
    #[error("{filesystem} is a {kind}, not a file system: choose another dataset")]
    NotAFilesystem { filesystem: String, kind: String },
    #[error(
        "{filesystem} would be mounted at {mountpoint} ({source_of_it}), and belongs at {}: zfs inherit mountpoint {filesystem}, \
         or say where the storage is mounted: path = \"...\"", .wanted.display()
    )]
    ForeignMountPoint { filesystem: String, mountpoint: String, source_of_it: String, wanted: PathBuf },
    #[error("{filesystem} is mounted at {mountpoint} and belongs at {}: zfs unmount {filesystem}", .wanted.display())]
    MountedElsewhere { filesystem: String, mountpoint: String, wanted: PathBuf },
    #[error("{} is in the way of a dataset to be mounted there: {what}; move it away", .path.display())]
    InTheWay { path: PathBuf, what: &'static str },
    #[error(
        "{filesystem} is not encrypted, and encryption = true: choose another dataset for it (data is never encrypted in place)"
    )]
    Plain { filesystem: String },
    #[error(
        "{filesystem} is encrypted with a key of its own: write encryption = true, and where the key comes from"
    )]
    Encrypted { filesystem: String },
    #[error(
        "{filesystem} has the key of {root}, and encryption = true is a key of its own: choose another dataset"
    )]
    InheritedKey { filesystem: String, root: String },
    #[error("the key of {root} is not loaded: zfs load-key {root}")]
    ParentLocked { root: String },
    #[error(
        "{filesystem} has a key of the format {format:?}: zfs change-key -o keyformat=raw -o keylocation=prompt {filesystem}"
    )]
    KeyFormat { filesystem: String, format: String },
    #[error(
        "the key of {filesystem} is missing: restore {place}, or bring it back from its recovery sheet: planb key import \
         {fileset}. Without it nobody can read these backups; a new key would not open them, and none is made"
    )]
    KeyMissing { filesystem: String, place: String, fileset: Name },
    #[error(
        "{place} does not open {filesystem}: bring the right key back: planb key import --replace {fileset}"
    )]
    KeyWrong { filesystem: String, place: String, fileset: Name },
    #[error(transparent)]
    Key(#[from] keys::Error),
    #[error("failed to list the snapshots below {parent}: {why}")]
    NotListed { parent: String, why: String },
    #[error("failed to write down that {filesystem} is open")]
    Mark { filesystem: String, source: io::Error },
    #[error("the files of {filesystem} belong to uid {owner}, and transfers run as uid {writer}: chown -R {writer}: {}", .path.display())]
    OtherWriter { filesystem: String, owner: u32, writer: u32, path: PathBuf },
    #[error("zfs says {said:?}, which is not understood")]
    NotUnderstood { said: String },
    #[error("{command} {ending}{}", shown(.said))]
    Failed { command: String, ending: process::Ending, said: String },
    #[error("{command} is not done after {seconds} s: see zpool status")]
    TooLong { command: String, seconds: u64 },
    #[error("stopped while making the dataset ready")]
    Stopped,
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("failed to listen for nothing")]
    Listen(#[source] io::Error),
}

fn shown(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

impl Error {
    /// Whether zfs said that what it was asked about does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Failed { said, .. } if said.contains("does not exist"))
    }
}
