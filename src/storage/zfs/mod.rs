//! A storage on OpenZFS.

mod key;

use super::{Destroyed, Emptied, Error, Leftover, Listed, SnapshotName, Space};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::Automatic;
use crate::fileset::workspace::Workspace;
use crate::fileset::zfs::Filesystem;
use crate::host::account::Account;
use crate::host::signals::Stop;
use crate::keys::Keys;
use std::path::PathBuf;

#[derive(Debug)]
pub struct Zfs {
    parent: Filesystem,
    path: PathBuf,
    /// Who fills workspaces: we ourselves, or whom we let.
    writer: Account,
}

#[derive(Debug)]
pub struct Open {}

impl Zfs {
    pub fn new(parent: Filesystem, path: PathBuf) -> Self {
        Self { parent, path, writer: Account::own() }
    }

    pub fn filled_by(self, writer: Account) -> Self {
        Self { writer, ..self }
    }

    pub fn open(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Open, Error> {
        unimplemented!()
    }

    pub fn close(&self, dataset: &DatasetName) -> Result<(), Error> {
        unimplemented!()
    }

    pub fn has_trash(&self, dataset: &DatasetName) -> Result<bool, Error> {
        unimplemented!()
    }

    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, Error> {
        unimplemented!()
    }

    pub fn snapshots_of(&self, datasets: &[&DatasetName]) -> Vec<Result<Vec<Listed>, Error>> {
        unimplemented!()
    }
    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, Error> {
        unimplemented!()
    }

    pub fn empty_trash(&self, dataset: &DatasetName, stop: &Stop) -> Result<Emptied, Error> {
        unimplemented!()
    }

    pub fn space(&self, dataset: &DatasetName) -> Result<Space, Error> {
        unimplemented!()
    }
}

impl Open {
    pub fn workspace(&self) -> &Workspace {
        unimplemented!()
    }

    pub fn leftover(&self) -> &Leftover {
        unimplemented!()
    }

    pub fn snapshot(self, name: &SnapshotName) -> Result<PathBuf, Error> {
        unimplemented!()
    }
}
