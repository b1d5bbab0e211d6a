//! OpenSSH's client: a configuration of its own for each run, each host's key in a file of its own, and its messages
//! in plain words. It runs nothing; a transport hands the configuration to the program that calls ssh.

mod client_config;
mod known_hosts;
pub mod login;
pub mod shared;
mod trouble;
pub mod words;

pub use trouble::explain;

use crate::fileset::name::Name;
use crate::host::account::Account;
use crate::host::process::{self, Limits, Program};
use client_config::Hop;
use login::Login;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use words::Jump;

/// Where ssh's own files are.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The directory of the hosts' keys.
    pub known_hosts: &'a Path,
    /// Whose keys and configuration are used.
    pub home: &'a Path,
}

/// ssh could not be made ready. Nothing was connected yet.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("failed to write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("failed to use the known hosts' directory {path}")]
    KnownHosts { path: PathBuf, source: io::Error },
    #[error("{path} is no plain file: move it away")]
    NoFile { path: PathBuf },
    #[error(
        "ssh cannot be told of {path}: there is a quote, a control character or \"${{\" in it: move it elsewhere"
    )]
    Path { path: PathBuf },
}

/// Writes the configuration for one run into `scratch` and returns its path, for `ssh -F`.
///
/// The jump host has a file of its own: a source may be reached through another port of the very same host, and then
/// one section cannot serve both.
pub fn prepare(
    name: &Name,
    login: &Login,
    place: Place<'_>,
    scratch: &Path,
    limits: Limits<'_>,
) -> Result<PathBuf, Error> {
    // Asked for now, because rsync's own message for a missing ssh is hard to read.
    Program::find("ssh")?;
    let jump_config = scratch.join("jump.conf");
    let config = scratch.join("ssh.conf");
    let mut hop = Hop::source(login);
    if let Some(jump) = &login.jump {
        let (user, host, port) = parts(jump);
        let hop_to_jump = Hop { host, user, port, identity: hop.identity, options: &[], through: None };
        write(&jump_config, &client_config::text(name, &hop_to_jump, place, limits)?)?;
        hop.through = Some((&jump_config, host));
    }
    write(&config, &client_config::text(name, &hop, place, limits)?)?;
    Ok(config)
}

/// The hosts that an ssh to the source meets, each with its port: the source, and the jump host before it.
pub fn hosts(login: &Login) -> impl Iterator<Item = (&str, u16)> {
    let jump = login.jump.as_ref().map(|jump| {
        let (_, host, port) = parts(jump);
        (host, port.unwrap_or(22))
    });
    [(login.host.as_str(), login.port)].into_iter().chain(jump)
}

/// Lets somebody else have what an ssh of theirs needs and could not be trusted to make: see [`known_hosts`].
pub fn provide(login: &Login, place: Place<'_>, limits: Limits<'_>, writer: Account) -> Result<(), Error> {
    hosts(login).try_for_each(|(host, port)| known_hosts::provide(host, port, place, limits, writer))
}

/// The public half of the key that is shown to sources: the named one's, or that of the first that ssh finds by itself.
pub fn public_key(identity: Option<&Path>, home: &Path) -> Option<PathBuf> {
    let key = match identity {
        Some(identity) => identity.to_owned(),
        None => client_config::IDENTITIES
            .map(|name| home.join(".ssh").join(name))
            .into_iter()
            .find(|key| key.exists())?,
    };
    let mut public = key.into_os_string();
    public.push(".pub");
    Some(public.into())
}

/// `[user@]host[:port]`, checked when it was read.
fn parts(jump: &Jump) -> (Option<&str>, &str, Option<u16>) {
    let text = jump.as_str();
    let (user, rest) = text.split_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
    match rest.split_once(':') {
        Some((host, port)) => (user, host, port.parse().ok()),
        None => (user, rest, None),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
