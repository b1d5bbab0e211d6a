//! What a pool cannot do or a dataset does not allow, and what the administrator should do about it.

use crate::fileset::name::Name;
use crate::host::process::{self, Captured, Ending};
use crate::keys;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("ZFS is not there: install zfsutils-linux and its kernel module, and load that: modprobe zfs")]
    NotLoaded,
    #[error("the pool {pool} is not imported: zpool import {pool}")]
    NoPool { pool: String },
    #[error(
        "the pool {pool} is suspended, because its disks do not answer: see what `zpool status {pool}` says; when they \
         do again: zpool clear {pool}"
    )]
    Suspended { pool: String },
    #[error("the pool {pool} is {state}: see what `zpool status {pool}` says")]
    Unusable { pool: String, state: String },
    #[error(
        "{filesystem} cannot be written to, because its pool is imported read-only: zpool export {pool}; zpool import {pool}"
    )]
    PoolReadOnly { filesystem: String, pool: String },
    #[error("{filesystem} cannot be written to: zfs set readonly=off {filesystem}")]
    ReadOnly { filesystem: String },
    #[error(
        "there is no room left for {filesystem}, in its pool or within its quota: make room (`planb prune`, fewer periods \
         in `retain`, a larger pool or quota)"
    )]
    Full { filesystem: String },
    #[error(
        "{filesystem} belongs to the fileset {owner:?}: choose another dataset, or, if {owner:?} is gone for good, take it \
         over: zfs set planb:fileset={fileset} {filesystem}"
    )]
    BelongsToAnother { filesystem: String, owner: String, fileset: Name },
    #[error("{filesystem} is a {kind}, and no file system that could hold files: choose another dataset")]
    NotAFilesystem { filesystem: String, kind: String },
    #[error("{filesystem} is not there: the first run makes it")]
    Missing { filesystem: String },
    #[error(
        "{filesystem} has mountpoint={found}{}, and the storage's `path` wants it at {}: zfs set mountpoint={} {filesystem}, \
         or change `path`",
        if *.received { ", which came with the stream that it was received from" } else { "" },
        .wanted.display(), .wanted.display()
    )]
    MountPoint { filesystem: String, found: String, wanted: PathBuf, received: bool },
    #[error("{filesystem} has canmount=off: zfs set canmount=noauto {filesystem}")]
    CannotMount { filesystem: String },
    #[error("{filesystem} is mounted at {} instead of {}: unmount it there", .found.display(), .wanted.display())]
    MountedElsewhere { filesystem: String, found: PathBuf, wanted: PathBuf },
    #[error("{other} is mounted at {}, where {filesystem} belongs: unmount it", .path.display())]
    PlaceTaken { filesystem: String, other: String, path: PathBuf },
    #[error("{} is a symbolic link where {filesystem} is to be mounted: remove it", .path.display())]
    Link { filesystem: String, path: PathBuf },
    #[error(
        "{} holds files, which {filesystem} would hide when it is mounted there: move them away; they may be of a time when \
         it was not",
        .path.display()
    )]
    PlaceNotEmpty { filesystem: String, path: PathBuf },
    #[error("{} was to be mounted, and is not", .path.display())]
    NotMounted { path: PathBuf },
    #[error("{} is not a directory of {filesystem}: move it away, and the next run transfers everything anew", .path.display())]
    NotOurs { filesystem: String, path: PathBuf },
    #[error(
        "{filesystem} is not encrypted, which cannot be changed afterwards, and encryption = true wants it to be: let the \
         fileset begin a new one (dataset = \"...\"), or write encryption = false"
    )]
    NotEncrypted { filesystem: String },
    #[error("{filesystem} is encrypted with a key of its own: write encryption = true in the fileset's file")]
    Encrypted { filesystem: String },
    #[error(
        "{filesystem} has no key of its own, but that of {root}: write encryption = false to leave it to whoever loads that \
         one"
    )]
    KeyOfAnother { filesystem: String, root: String },
    #[error("{filesystem} is encrypted with the key of {root}, which is not loaded: zfs load-key {root}")]
    KeyNotLoaded { filesystem: String, root: String },
    #[error(
        "{filesystem} has a key of the format {format}, which is not planb's: zfs change-key -o keyformat=raw -o \
         keylocation=prompt {filesystem}"
    )]
    KeyFormat { filesystem: String, format: String },
    #[error(
        "the key of {filesystem} is missing, without which nobody can read these backups: restore {place}; no other is made"
    )]
    KeyMissing { filesystem: String, place: String },
    #[error("{place} does not open {filesystem}: restore the right one")]
    WrongKey { filesystem: String, place: String },
    #[error("{filesystem} should be {wanted} now, and is {found}")]
    KeyState { filesystem: String, wanted: &'static str, found: String },
    #[error("{filesystem} is still in use: `fuser -vm {}` shows by whom; it is closed by the next run, or: planb close", .path.display())]
    Busy { filesystem: String, path: PathBuf },
    #[error("the key of {filesystem} is still in use, although it is not mounted here: it stays loaded until the next run")]
    KeyBusy { filesystem: String },
    #[error(transparent)]
    Key(#[from] keys::Error),
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("{command} {ending}{}", said(.said))]
    Failed { command: String, ending: Ending, said: String },
    #[error("failed to {what} {}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

fn said(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

impl Error {
    /// For `map_err`: what was tried, and on what.
    pub fn io<E: Into<io::Error>>(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: source.into() }
    }

    /// Of a command that was to do something with `filesystem` and did not. OpenZFS 2.1 and 2.3 say these alike.
    pub fn of(command: String, filesystem: &str, done: &Captured) -> Self {
        let text = String::from_utf8_lossy(&done.stderr);
        let says = |words: &str| text.contains(words);
        let filesystem = filesystem.split('@').next().unwrap_or_default().to_owned();
        let pool = filesystem.split('/').next().unwrap_or_default().to_owned();
        if says("I/O is currently suspended") {
            return Self::Suspended { pool };
        }
        if says("out of space") || says("No space left") || says("quota exceeded") {
            return Self::Full { filesystem };
        }
        if says("pool is read-only") {
            return Self::PoolReadOnly { filesystem, pool };
        }
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Self::Failed { command, ending: done.ending, said: first.trim().to_owned() }
    }
}
