//! Why there is no key to be had, and what brings it back.

use super::key::NotAKey;
use crate::fileset::name::Name;
use crate::host::process;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{place} is there already, and a key is never replaced")]
    Exists { place: String },
    #[error("{place} is another key")]
    Differs { place: String },
    #[error("{place} holds no key")]
    NotAKey { place: String, source: NotAKey },
    #[error(
        "{place} holds no key: {why}; bring it back from its recovery sheet: planb key import --replace {fileset}"
    )]
    Spoilt { place: String, why: NotAKey, fileset: Name },
    #[error("{} is not to be used as a key: {why}", .path.display())]
    Refused { path: PathBuf, why: String },
    #[error("the directory {} for the key is not there: make it (mode 0700), or mount what it is on", .path.display())]
    NoDirectory { path: PathBuf },
    #[error("failed to encrypt the key for {}: {said}", .path.display())]
    Encrypt { path: PathBuf, said: String },
    #[error(
        "failed to decrypt {}: {said}. If this machine was installed anew, restore its {}; if that or its TPM is gone, \
         bring the key back from its recovery sheet: planb key import --replace {fileset}",
        .path.display(), .secret.display()
    )]
    Decrypt { path: PathBuf, said: String, secret: PathBuf, fileset: Name },
    #[error("{program} gave no key: {why}")]
    Command { program: String, why: String },
    #[error("{program} knows no key for {fileset}: put one there first (32 bytes, or 64 hexadecimal digits)")]
    Unknown { program: String, fileset: Name },
    #[error("a command gives keys and takes none: {what} where {program} gets it from")]
    NotOurs { program: String, what: &'static str },
    #[error("there is no user planb to ask for the key as: install the package, or call systemd-sysusers")]
    NoUser,
    #[error("stopped while fetching the key")]
    Stopped,
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("failed to start the unit that asks for the key")]
    Systemd(#[from] crate::host::systemd::Error),
    #[error("failed to keep keys out of core dumps")]
    Dumps(#[from] nix::errno::Errno),
    #[error("failed to draw a key from the kernel's random numbers")]
    Random { source: io::Error },
    #[error("failed to {what} {}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

impl Error {
    /// For `map_err`: what was tried, and on what.
    pub(super) fn io<E: Into<io::Error>>(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: source.into() }
    }
}
