//! What an `[rsync]` table comes to once it is valid.

use super::words::{DaemonSource, Flag, Pattern, RemoteProgram, SourcePath};
use crate::fileset::quantity::{Size, Span};
use crate::transport::ssh::login::Login;
use crate::transport::ssh::words::{Host, User};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A valid `[rsync]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub source: Source,
    /// What of the source is backed up, anchored at it. Never empty.
    pub include: Vec<Pattern>,
    /// What is left out of that: rsync patterns, those with a leading `/` anchored at the source.
    pub exclude: Vec<Pattern>,
    /// Bytes a second, absent for no limit.
    pub bwlimit: Option<Size>,
    pub vanished: Vanished,
    pub metadata: Metadata,
    /// Without a byte from the source for this long, the transfer has failed.
    pub stall_timeout: Span,
    pub flags: Vec<Flag>,
}

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A path of this machine.
    Local(SourcePath),
    Ssh(Ssh),
    Daemon(Daemon),
}

/// A source that is reached over ssh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ssh {
    pub login: Login,
    pub path: SourcePath,
    /// rsync runs under sudo on the source.
    pub sudo: bool,
    pub ionice: Ionice,
    pub rsync_path: RemoteProgram,
    /// Defer while /var/lib/planb/do-not-run.d on the source has files.
    pub do_not_run: bool,
}

/// A source that is reached through its rsync daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daemon {
    pub host: Host,
    pub source: DaemonSource,
    pub user: Option<User>,
    pub port: u16,
    /// A file that holds the daemon's password for `user` and nothing else.
    pub password_file: Option<PathBuf>,
}

/// The I/O scheduling class of rsync on the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ionice {
    Idle,
    BestEffort,
    /// `ionice` is not called: for sources that do not have it.
    None,
}

/// What files mean that were there when listed and gone when read (rsync exit 24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vanished {
    /// The run is deferred and tried again.
    Retry,
    /// That is normal on this source.
    Accept,
}

/// What is kept of a file beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metadata {
    /// Owners, ACLs, extended attributes, devices, hard links.
    Full,
    /// Permissions, times, symbolic links, hard links.
    Basic,
}

impl Source {
    /// The host that `slots-per-source` counts for; absent for a path of this machine.
    pub fn host(&self) -> Option<&Host> {
        match self {
            Self::Local(_) => None,
            Self::Ssh(ssh) => Some(&ssh.login.host),
            Self::Daemon(daemon) => Some(&daemon.host),
        }
    }
}

impl std::fmt::Display for Source {
    /// As `planb list` shows it: `web1.example:/`, `web1.example::module/path`, `/srv`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.as_str()),
            Self::Ssh(ssh) => write!(f, "{}:{}", ssh.login.host.as_str(), ssh.path.as_str()),
            Self::Daemon(daemon) => write!(f, "{}::{}", daemon.host.as_str(), daemon.source.as_str()),
        }
    }
}
