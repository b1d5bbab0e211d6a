//! Looking into a dataset beside its runs: opened for it where it is not open, and closed again where nobody else needs it.

use crate::config::Fileset;
use crate::fileset::name::DatasetName;
use crate::fileset::reason::chain;
use crate::host::paths::Paths;
use crate::host::signals::Stop;
use crate::keys::Keys;
use crate::storage::{Error, Storage, User};
use std::path::{Path, PathBuf};

/// A visit; it ends when this is dropped.
#[derive(Debug)]
pub struct Visit<'a> {
    storage: &'a Storage,
    dataset: &'a DatasetName,
    user: User,
    path: PathBuf,
    left: bool,
}

impl<'a> Visit<'a> {
    pub fn begin(
        paths: &Paths,
        fileset: &'a Fileset,
        storage: &'a Storage,
        user: User,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let Fileset { name, dataset, .. } = fileset;
        let keys = fileset.encryption.as_ref().map(|source| Keys::new(paths, name, source));
        let path = storage.visit(dataset, name, keys.as_ref(), &user, stop)?;
        Ok(Self { storage, dataset, user, path, left: false })
    }

    /// The directory of the snapshots.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps it open until somebody closes it.
    pub fn stay(mut self) -> PathBuf {
        self.left = true;
        self.path.clone()
    }

    pub fn end(mut self) -> Result<(), Error> {
        self.left = true;
        self.storage.leave(self.dataset, &self.user)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.left
            && let Err(error) = self.storage.leave(self.dataset, &self.user)
        {
            log::error!("failed to close the dataset {}: {}", self.dataset, chain(&error));
        }
    }
}
