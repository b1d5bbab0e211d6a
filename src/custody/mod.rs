//! Looking after keys, beside the runs that use them: are they there, are they right, is there a copy elsewhere?
//!
//! Each story begins with what fits: a key counts for what its dataset says of it, not for where it lies. Whoever changes
//! a key holds its fileset's lock.

pub mod check;
pub mod export;
pub mod import;
pub mod rotate;
pub mod unused;

use crate::config::Fileset;
use crate::host::paths::Paths;
use crate::host::signals::Stop;
use crate::keys::{self, Candidate, Keys};
use crate::run::claim::Refused;
use crate::storage::key::Fit;
use crate::storage::{self, Settings, Storage};

/// The key of one encrypted fileset, with all it takes to look after it.
#[derive(Debug)]
pub struct Charge<'a> {
    pub fileset: &'a Fileset,
    pub paths: &'a Paths,
    pub stop: &'a Stop,
    pub keys: Keys,
    pub storage: Storage,
}

/// What became of trying all keys there are.
#[derive(Debug)]
pub enum Tried {
    /// This one is the dataset's.
    Fits(Candidate),
    /// Each is another's.
    NoneFits,
    /// There is no dataset yet, and perhaps a key already.
    NoDataset(Option<Candidate>),
    /// Nobody can tell now, and why.
    OutOfReach { first: Candidate, why: String },
    /// There is a dataset and no key.
    NoKey,
}

/// Why a key could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Busy(#[from] Refused),
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error("failed to try the key on its dataset")]
    Storage(#[from] storage::Error),
    #[error("{0}")]
    Refused(String),
}

impl<'a> Charge<'a> {
    /// `None` for a fileset that is not encrypted.
    pub fn of(paths: &'a Paths, fileset: &'a Fileset, stop: &'a Stop) -> Option<Self> {
        let source = fileset.encryption.as_ref()?;
        let keys = Keys::new(paths, &fileset.name, source);
        let storage = Storage::new(&fileset.storage.settings, paths);
        Some(Self { fileset, paths, stop, keys, storage })
    }

    /// Tries all keys there are.
    pub fn try_all(&self) -> Result<Tried, Error> {
        let candidates = self.keys.candidates(self.stop)?;
        if candidates.is_empty() {
            let is_there = self.storage.key_format(&self.fileset.dataset)?.is_some();
            return Ok(if is_there { Tried::NoKey } else { Tried::NoDataset(None) });
        }
        for candidate in candidates {
            match self.storage.key_fits(&self.fileset.dataset, &candidate.key)? {
                Fit::Fits => return Ok(Tried::Fits(candidate)),
                Fit::Wrong => {}
                Fit::NoDataset => return Ok(Tried::NoDataset(Some(candidate))),
                Fit::OutOfReach(why) => return Ok(Tried::OutOfReach { first: candidate, why }),
            }
        }
        Ok(Tried::NoneFits)
    }

    /// The whole name of its ZFS file system.
    pub fn filesystem(&self) -> String {
        let parent = match &self.fileset.storage.settings {
            Settings::Zfs { parent, .. } => Some(parent.as_str()),
            Settings::Directory { .. } | Settings::Btrfs { .. } => None,
        };
        format!("{}/{}", parent.unwrap_or_default(), self.fileset.dataset)
    }

    /// What to say when no key fits.
    fn none_fits(&self) -> Error {
        let (name, filesystem) = (&self.fileset.name, self.filesystem());
        Error::Refused(format!(
            "{} is not the key of {filesystem}: bring the right one back from its recovery sheet: \
             planb key import --replace {name}",
            self.keys.place()
        ))
    }

    /// What to say when there is none.
    fn no_key(&self) -> Error {
        let (name, place) = (&self.fileset.name, self.keys.place());
        Error::Refused(format!(
            "{place} is missing: restore it, or bring it back from its recovery sheet: planb key import {name}"
        ))
    }
}
