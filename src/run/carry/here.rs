//! A transfer that this process makes itself.

use super::variables;
use crate::fileset::name::Name;
use crate::fileset::progress::Transferred;
use crate::fileset::record::Outcome;
use crate::fileset::workspace::Workspace;
use crate::host::process::Limits;
use crate::run::Event;
use crate::run::attempt::{Cut, Surroundings};
use crate::transport;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

pub fn transfer(
    s: &Surroundings<'_>,
    workspace: &Workspace,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<Transferred, Cut> {
    let name = &s.fileset.name;
    let failed =
        |what: &str, error: &io::Error| Cut::new(Outcome::Failure, format!("failed to {what}: {error}"));
    let variables = variables::of(s, workspace)?;
    let scratch = Scratch::make(&s.host.paths.runtime_dir("scratch").join(name))
        .map_err(|e| failed("make a directory for the transfer", &e))?;
    let job = transport::Job {
        name,
        workspace,
        limits: Limits { stop: s.host.stop, deadline: Some(Instant::now() + s.fileset.timeout.duration()) },
        scratch: scratch.path(),
        known_hosts: &s.host.paths.known_hosts(),
        home: &s.host.paths.state(),
        variables: &variables,
        hold: s.lock.share().map_err(|e| failed("share the fileset's lock", &e))?,
    };
    Ok(transport::transfer(&s.fileset.transport, job, &mut |event| tell(name, event, watch))?)
}

/// Passes on what a transport tells.
pub fn tell(name: &Name, event: transport::Event, watch: &mut dyn FnMut(Event<'_>)) {
    match event {
        transport::Event::Progress(progress) => watch(Event::Progress(&progress)),
        transport::Event::Line { level, text } => log::log!(level, "{name}: {text}"),
        transport::Event::Degraded(what) => log::warn!("{name}: {what}"),
    }
}

/// A private directory for one transfer, gone afterwards.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn make(path: &Path) -> io::Result<Self> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
