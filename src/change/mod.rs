//! Changes of a fileset that are changes of many things: another name, a copy, an end.
//!
//! Each is a plan first, which can be shown and has changed nothing yet. To be carried out it is written down whole; then
//! its steps are taken, each of which can be taken again without harm; then what was written down goes. So whatever
//! interrupts it, calling the same command again brings it to its end, and until then no run of its filesets begins
//! (`run::unfinished`). Nothing here destroys anything: what a step finds in its way it leaves there, and says so.

mod clone;
mod drop_in;
mod journal;
mod remove;
mod rename;
mod step;
#[cfg(test)]
mod tests;

pub use clone::clone;
pub use remove::remove;
pub use rename::rename;
pub use step::Step;

use crate::config::{Configuration, Diagnostic, Fileset};
use crate::fileset::key::KeySource;
use crate::fileset::name::Name;
use crate::host::lock::{self, Lock};
use crate::host::paths::Paths;
use crate::host::signals::Stop;
use crate::run::claim::{self, Claim, Refused};
use crate::run::unfinished::Unfinished;
use crate::{keys, storage};
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use time::OffsetDateTime;

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    #[serde(flatten)]
    pub of: Unfinished,
    pub steps: Vec<Step>,
    /// What the person should know afterwards.
    pub notes: Vec<String>,
}

/// What plans are made from, and steps are taken with.
#[derive(Debug, Clone, Copy)]
pub struct Hands<'a> {
    pub paths: &'a Paths,
    pub user: Uid,
    pub now: OffsetDateTime,
    pub stop: &'a Stop,
}

/// Why a change is not made, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// By the person, who asked for what cannot be.
    #[error("{0}")]
    Refused(String),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Diagnostic>),
    #[error(transparent)]
    Busy(#[from] Refused),
    #[error("another change of filesets is going on")]
    Changing,
    #[error("`{command}` was interrupted: call that again first, and it comes to its end")]
    Unfinished { command: String },
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error("failed to {what}; nothing is lost: call the same again, and it goes on")]
    Step { what: String, source: Box<step::Error> },
    #[error("failed to {what} {}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

/// A change's own right to change these filesets.
#[derive(Debug)]
pub struct Taken {
    _change: Lock,
    _filesets: Vec<Claim>,
}

/// Keeps everybody else from changing anything, and from backing up these filesets.
pub fn take(paths: &Paths, filesets: &[Name]) -> Result<Taken, Error> {
    let path = lock_file(paths);
    let locked = lock::directory(&paths.runtime()).and_then(|()| Lock::try_take(&path));
    let change = match locked {
        Ok(Some(lock)) => lock,
        Ok(None) => return Err(Error::Changing),
        Err(source) => return Err(Error::Io { what: "lock", path, source }),
    };
    let claims = filesets.iter().map(|fileset| claim::take(paths, fileset)).collect::<Result<_, _>>()?;
    Ok(Taken { _change: change, _filesets: claims })
}

/// The change that was interrupted and waits for being called again.
pub fn interrupted(paths: &Paths) -> io::Result<Option<Unfinished>> {
    if lock::is_free(&lock_file(paths))? { Unfinished::find(paths) } else { Ok(None) }
}

/// The plan of this very command, if it was interrupted. As long as another one waits, nothing else is begun.
pub fn begun(paths: &Paths, command: &str) -> Result<Option<Plan>, Error> {
    match journal::read(paths)? {
        Some(plan) if plan.of.command == command => Ok(Some(plan)),
        Some(plan) => Err(Error::Unfinished { command: plan.of.command }),
        None => Ok(None),
    }
}

/// Carries out a plan, and tells of each step that is taken.
pub fn carry_out(hands: Hands<'_>, plan: &Plan, mut tell: impl FnMut(&Step)) -> Result<(), Error> {
    journal::write(hands.paths, plan)?;
    for step in &plan.steps {
        step.take(hands).map_err(|source| Error::Step { what: step.words().0, source: Box::new(source) })?;
        tell(step);
    }
    journal::remove(hands.paths)
}

fn lock_file(paths: &Paths) -> PathBuf {
    paths.runtime_dir("change.lock")
}

/// Refuses a dataset that another fileset has already, and a key's file. Where else keys come from, each has its own.
fn require_free(configuration: &Configuration, new: &Fileset, instead: Option<&Name>) -> Result<(), Error> {
    let place = |fileset: &Fileset| (fileset.storage.name.clone(), fileset.dataset.clone());
    for other in configuration.filesets.iter().filter(|other| Some(&other.name) != instead) {
        if place(other) == place(new) {
            let (dataset, storage) = (&new.dataset, &new.storage.name);
            let message = format!("the dataset {dataset} in storage {storage} is that of {}", other.name);
            return Err(Error::Refused(message));
        }
        if let (Some(KeySource::File(one)), Some(KeySource::File(key))) = (&other.encryption, &new.encryption)
            && one == key
        {
            let message =
                format!("its key, {}, would be that of {}: say another `key`", key.display(), other.name);
            return Err(Error::Refused(message));
        }
    }
    Ok(())
}
