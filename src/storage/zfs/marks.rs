//! Who needs a dataset to be open, and what is to be undone when nobody does any more: `open/DATASET.json` below
//! /run/planb, which a reboot forgets together with the mounts themselves.
//!
//! Runs, shells and people who just opened it are alike here: the last one out closes it. What was mounted by other hands
//! is in nobody's list, and nobody here unmounts it. Looking and doing are one step under a lock.

use super::error::Error;
use crate::fileset::name::DatasetName;
use crate::host::lock::{self, Lock};
use crate::host::presence::Presence;
use crate::storage::{Errand, User};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The place of one dataset's marks.
#[derive(Debug, Clone)]
pub struct Marks {
    file: PathBuf,
    lock: PathBuf,
}

/// What is written there.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// We mounted it.
    pub mounted: bool,
    /// We loaded its key.
    pub loaded: bool,
    pub users: Vec<User>,
}

impl State {
    /// People, not runs.
    pub fn people(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|user| user.errand != Errand::Run)
    }
}

/// Marks that nobody else reads or writes meanwhile.
#[derive(Debug)]
pub struct Locked {
    pub state: State,
    file: PathBuf,
    _lock: Lock,
}

impl Marks {
    /// `runtime`: /run/planb.
    pub fn of(runtime: &Path, dataset: &DatasetName) -> Self {
        let place = runtime.join("open");
        Self { file: place.join(format!("{dataset}.json")), lock: place.join(format!("{dataset}.lock")) }
    }

    /// Whose processes have ended are not in it any more.
    pub fn lock(&self) -> Result<Locked, Error> {
        let failed = |source| Error::Marks { path: self.file.clone(), source };
        self.lock.parent().map_or(Ok(()), lock::directory).map_err(failed)?;
        let lock = Lock::take(&self.lock).map_err(failed)?;
        let mut state: State = match fs::read(&self.file) {
            // One that is torn would be of a crash of the whole machine, after which it is gone.
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(failed(error)),
        };
        state.users.retain(|user| user.process.is_none_or(Presence::is_alive));
        Ok(Locked { state, file: self.file.clone(), _lock: lock })
    }

    /// Those who need it open now, as far as can be seen without waiting for the lock.
    pub fn look(&self) -> State {
        let state = fs::read(&self.file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut state: State = state.unwrap_or_default();
        state.users.retain(|user| user.process.is_none_or(Presence::is_alive));
        state
    }
}

impl Locked {
    /// Writes down what is; nothing is left where there is nothing to tell.
    pub fn keep(&self) -> Result<(), Error> {
        let written = if self.state == State::default() {
            match fs::remove_file(&self.file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            }
        } else {
            let new = self.file.with_extension("new");
            let json = serde_json::to_vec(&self.state).map_err(io::Error::from);
            json.and_then(|json| fs::write(&new, json)).and_then(|()| fs::rename(&new, &self.file))
        };
        written.map_err(|source| Error::Marks { path: self.file.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_gone_is_not_in_it() {
        let runtime = tempfile::tempdir().expect("a directory");
        let marks = Marks::of(runtime.path(), &"web1".parse().expect("a name"));
        let own = Presence::own().expect("we run");
        let user = |errand, process| User { errand, who: "me".into(), since: None, process };
        let mut locked = marks.lock().expect("a lock");
        assert_eq!(locked.state, State::default());
        locked.state.mounted = true;
        locked.state.users = vec![
            user(Errand::Run, Some(Presence { started: own.started + 1, ..own })),
            user(Errand::Look, Some(own)),
            user(Errand::Open, None),
        ];
        locked.keep().expect("written");
        drop(locked);
        assert_eq!(marks.look().people().count(), 2);
        let mut locked = marks.lock().expect("a lock");
        assert_eq!((locked.state.users.len(), locked.state.mounted), (2, true));
        locked.state = State::default();
        locked.keep().expect("removed");
        locked.keep().expect("nothing to remove");
        assert_eq!(marks.look(), State::default());
    }
}
