//! What stands in the way of a dataset on ZFS, and what the administrator should do about it.

use crate::fileset::name::Name;
use crate::fileset::replica::Child;
use crate::host::process;
use crate::keys;
use std::io;
use std::path::PathBuf;

pub const READ_ONLY_POOL: &str = "its pool was imported read-only: export it and import it again";

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
        "{filesystem} would be mounted at {mountpoint} ({source_of_it}), and belongs at {}: zfs set mountpoint={} {filesystem}, \
         or say where the storage is mounted: path = \"...\"", .wanted.display(), .wanted.display()
    )]
    ForeignMountPoint { filesystem: String, mountpoint: String, source_of_it: String, wanted: PathBuf },
    #[error("{filesystem} has canmount=off: zfs set canmount=noauto {filesystem}")]
    CannotMount { filesystem: String },
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
    NotListed { parent: String, why: String, is_denied: bool },
    #[error(
        "{filesystem} cannot be seen from here: this process is in a name space of users (see zfs-zone(8))"
    )]
    Hidden { filesystem: String },
    #[error("ZFS cannot be asked from here: /dev/zfs is not there, or not for us")]
    NoDevice,
    #[error("failed to note in {} who has the dataset open", .path.display())]
    Marks { path: PathBuf, source: io::Error },
    #[error("{filesystem} is not there yet: the first run makes it")]
    NotYet { filesystem: String },
    #[error("{} is not a directory of {filesystem}: move it away, and the next run transfers everything anew", .path.display())]
    NotOurs { filesystem: String, path: PathBuf },
    #[error(
        "{filesystem} is still in use, and stays mounted until the next run or `planb close`: `fuser -vm {}` says by whom",
        .path.display()
    )]
    Busy { filesystem: String, path: PathBuf },
    #[error(
        "the key of {filesystem} is still in use somewhere, and stays loaded until the next run or `planb close`"
    )]
    KeyBusy { filesystem: String },
    #[error("the key of {filesystem} was unloaded, and is {found} all the same")]
    NotLocked { filesystem: String, found: String },
    #[error("the key of {filesystem} was loaded, and is not there: somebody unloads keys")]
    NotUnlocked { filesystem: String },
    #[error("what came for {child} is not what was asked for: {what}. Nothing of it was received")]
    OtherStream { child: Child, what: String },
    #[error(
        "{snapshot} was received, and is not there as the source has it: nothing builds on it, see zpool status"
    )]
    NotReceived { snapshot: String },
    #[error(
        "{child} has the property {property} of its source: take it away (zfs inherit {property} {child})"
    )]
    PropertyReceived { child: String, property: String },
    #[error("{child} must have {property}={wanted} here: zfs set {property}={wanted} {child}")]
    Unsafe { child: String, property: String, wanted: String },
    #[error("{filesystem} cannot hold datasets of other hosts: that takes a storage with type = \"zfs\"")]
    NoReplica { filesystem: String },
    #[error("zfs says {said:?}, which is not understood")]
    NotUnderstood { said: String },
    #[error("{command} {ending}{}", shown(.said))]
    Failed { command: String, ending: process::Ending, said: String },
    #[error("{command} is not done after {minutes} minutes: see what zpool status says")]
    TooLong { command: String, minutes: u64 },
    #[error("ZFS is not there: install zfsutils-linux and its kernel module, and load that: modprobe zfs")]
    NotLoaded,
    #[error(
        "there is no room for {filesystem}, in its pool or within its quota: make room (planb prune, fewer periods in \
         `retain`, a larger pool or quota)"
    )]
    Full { filesystem: String },
    #[error("failed to {what} {}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("failed to listen for nothing")]
    Listen(#[source] io::Error),
}

fn shown(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

impl Error {
    /// For `map_err`: what was tried, and on what.
    pub fn io<E: Into<io::Error>>(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: source.into() }
    }

    /// Of what a command said of `filesystem` before it ended. OpenZFS 2.1 and 2.3 say these alike.
    pub fn of(command: String, filesystem: &str, ending: process::Ending, stderr: &str) -> Self {
        let says = |words: &str| stderr.contains(words);
        let filesystem = filesystem.split('@').next().unwrap_or_default().to_owned();
        let pool = filesystem.split('/').next().unwrap_or_default().to_owned();
        if says("/dev/zfs and /proc/self/mounts are required")
            || says("the ZFS utilities must be run as root")
        {
            return Self::NoDevice;
        }
        if says("pool I/O is currently suspended") {
            return Self::PoolDown { pool, health: "SUSPENDED".into() };
        }
        if says("pool is read-only") {
            let remedy = READ_ONLY_POOL.to_owned();
            return Self::ReadOnly { filesystem, remedy };
        }
        if says("out of space") || says("quota exceeded") {
            return Self::Full { filesystem };
        }
        let said = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).take(2);
        Self::Failed { command, ending, said: said.collect::<Vec<_>>().join(" ") }
    }

    /// Whether somebody wished so, and nothing went wrong.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Key(keys::Error::Stopped))
    }

    /// Whether it is we who may not look, and nothing may be wrong.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::NoDevice | Self::Hidden { .. } | Self::NotListed { is_denied: true, .. } => true,
            Self::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }

    /// Whether it would befall whatever is tried next as well.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::OtherStream { .. })
    }

    /// Whether zfs said that what it was asked about does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Failed { said, .. } if said.contains("does not exist"))
    }
}
