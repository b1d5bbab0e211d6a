//! How data gets from a source into a workspace. One variant per transport, each with its own settings; none knows
//! what storage the workspace belongs to.
//!
//! Whatever a transport meets comes back as one of two things: figures of a transfer that ended well, or a [`Failure`]
//! with its reason. Nothing in here prints, records or decides what happens next.

pub mod exec;
pub mod rsync;
mod said;
pub mod source;
pub mod ssh;
pub mod zfs;

use crate::fileset::name::Name;
use crate::fileset::progress::{Progress, Totals, Transferred};
use crate::fileset::workspace::Workspace;
use crate::host::account::Account;
use crate::host::process::Limits;
use serde::{Deserialize, Serialize};
use ssh::login::Login;
use std::fmt;
use std::fs::File;
use std::path::Path;

/// A fileset's transport, as configured and valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    Rsync(rsync::settings::Settings),
    Zfs(zfs::settings::Settings),
    Exec(exec::settings::Settings),
}

impl Transport {
    /// The name of its table.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rsync(_) => "rsync",
            Self::Zfs(_) => "zfs",
            Self::Exec(_) => "exec",
        }
    }

    /// The source's host, that `slots-per-source` counts for; absent for a path of this machine.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Rsync(settings) => settings.source.host().map(ssh::words::Host::as_str),
            Self::Zfs(settings) => Some(settings.login.host.as_str()),
            Self::Exec(_) => None,
        }
    }

    /// How the source is logged in to, where that is over ssh.
    pub fn login(&self) -> Option<&Login> {
        match self {
            Self::Rsync(settings) => match &settings.source {
                rsync::settings::Source::Ssh(ssh) => Some(&ssh.login),
                rsync::settings::Source::Local(_) | rsync::settings::Source::Daemon(_) => None,
            },
            Self::Zfs(settings) => Some(&settings.login),
            Self::Exec(_) => None,
        }
    }

    /// The hosts whose ssh keys it needs to know.
    pub fn known_hosts(&self) -> impl Iterator<Item = &str> {
        self.login().into_iter().flat_map(ssh::hosts).map(|(host, _)| host)
    }

    /// Where the files come from, as `planb list` shows it.
    pub fn source(&self) -> String {
        match self {
            Self::Rsync(settings) => settings.source.to_string(),
            Self::Zfs(settings) => settings.to_string(),
            Self::Exec(settings) => settings.command.program().to_owned(),
        }
    }

    /// Whether the run is to look for a snapshot that the transfer made, rather than make one.
    pub fn makes_snapshots(&self) -> bool {
        match self {
            Self::Rsync(_) | Self::Zfs(_) => false,
            Self::Exec(settings) => settings.snapshots == exec::settings::Snapshots::Own,
        }
    }
}

/// One transfer to make.
#[derive(Debug)]
pub struct Job<'a> {
    pub name: &'a Name,
    pub workspace: &'a Workspace,
    /// When it has to end: the wish to stop, and the fileset's overall timeout.
    pub limits: Limits<'a>,
    /// A private directory of this run, for what programs want as files.
    pub scratch: &'a Path,
    /// The directory of the hosts' keys, one file a host. Made when it is not there.
    pub known_hosts: &'a Path,
    /// The home of who makes the transfer: `.ssh/config` and `.ssh/id_*` are looked for there.
    pub home: &'a Path,
    /// What a program of the administrator's is told of the run, in its environment.
    pub variables: &'a [(String, String)],
    /// The fileset's lock. Whatever writes into the workspace inherits it, so that the fileset stays locked for as
    /// long as a writer lives, even one that outlived us.
    pub hold: File,
}

/// What is told while a transfer runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Progress(Progress),
    /// A line for the journal, safe to print.
    Line {
        level: log::Level,
        text: String,
    },
    /// The transfer goes on with less than was asked for. Said once a cause, in a sentence for the administrator.
    Degraded(String),
}

/// Why there is nothing to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub verdict: Verdict,
    /// In plain words: what happened and what to do. A lowercase fragment without a final stop.
    pub reason: String,
    /// The transport program's, where one ran to its end.
    pub exit_code: Option<i32>,
}

/// What a transfer that came to nothing means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not now; nobody has to do anything.
    Deferred,
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// Somebody wished it to stop.
    Interrupted,
}

impl Failure {
    fn failed(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, reason: reason.into(), exit_code: None }
    }

    fn deferred(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Deferred, reason: reason.into(), exit_code: None }
    }

    /// `what` we wanted, and the whole chain of why it could not be.
    pub fn because(what: impl fmt::Display, error: &dyn std::error::Error) -> Self {
        let mut reason = format!("{what}: {error}");
        let mut next = error.source();
        while let Some(cause) = next {
            reason = format!("{reason}: {cause}");
            next = cause.source();
        }
        Self::failed(reason)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

/// Sees to it, as root, that `writer`, who is going to make a transfer, finds what they cannot be trusted to make.
pub fn provide(
    transport: &Transport,
    known_hosts: &Path,
    home: &Path,
    limits: Limits<'_>,
    writer: Account,
) -> Result<(), Failure> {
    let Some(login) = transport.login() else { return Ok(()) };
    ssh::provide(login, ssh::Place { known_hosts, home }, limits, writer)
        .map_err(|e| Failure::because("failed to prepare ssh", &e))
}

/// What a transfer would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rehearsal {
    /// What the source holds now.
    pub totals: Totals,
    /// Regular files that are new or changed.
    pub files: u64,
    /// The sum of their sizes: at most so much has to come.
    pub bytes: u64,
    /// Names in the workspace that the source has no more.
    pub deleted: u64,
}

/// Finds out what a transfer into the workspace would come to, and changes nothing in it: it may be history. One that is
/// not there counts as empty.
pub fn rehearse(
    transport: &Transport,
    job: Job<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<Rehearsal, Failure> {
    match transport {
        Transport::Rsync(settings) => rsync::rehearse(settings, job, tell),
        Transport::Zfs(_) => Err(zfs::no_dry_run()),
        Transport::Exec(settings) => exec::rehearse(settings),
    }
}

/// Makes the workspace equal to the source.
///
/// `Ok` means that the transport's program ended by itself, said that all was well, and gave its figures. After an
/// `Err` the workspace holds whatever came; the next transfer into it goes on from there.
pub fn transfer(
    transport: &Transport,
    job: Job<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<Transferred, Failure> {
    match transport {
        Transport::Rsync(settings) => rsync::pull(settings, job, tell),
        Transport::Zfs(_) => Err(zfs::not_into_a_directory()),
        Transport::Exec(settings) => exec::pull(settings, job, tell),
    }
}
