//! A storage on any file system: every snapshot is a tree of its own, and what did not change is one inode in many.
//!
//! ```text
//! PATH/DATASET/.planb                     whose dataset this is: a fileset's name
//! PATH/DATASET/.new/data                  the tree under construction
//! PATH/DATASET/planb-20260102T0304Z/data  a snapshot
//! PATH/DATASET/.trash                     destroyed snapshots, still to be unlinked
//! ```
//!
//! A tree becomes a snapshot by one rename, and stops being one by one rename, so a snapshot is listed whole or not
//! at all, whenever the power goes. Nothing here writes to, or changes an attribute of, a file below a snapshot.
//!
//! Who fills the tree need not be who keeps the dataset: root keeps it, and user planb, who talks to the network, fills
//! `.new/data`. Files must be planb's own to be hard-linked (`fs.protected_hardlinks`, `proc_sys_fs(5)`), so what guards
//! history is above them: the dataset and each snapshot's top directory are root's and closed to planb, but for the one
//! snapshot that the new tree is linked from, as long as the transfer lasts. What remains: a transfer that was taken
//! over can write to files of that snapshot, and so to those of older ones that share an inode with it. Storages that
//! keep history by themselves (zfs, btrfs) do not have that weakness.

mod open;
mod writeback;

pub use open::Open;

use super::place::Place;
use super::{DATA, Destroyed, Emptied, Error, Leftover, Listed, SnapshotName, Space};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::Automatic;
use crate::host::account::Account;
use crate::host::signals::Stop;

/// The directory that holds the datasets.
#[derive(Debug)]
pub struct Directory {
    place: Place,
    /// Who fills workspaces: we ourselves, or whom we let.
    writer: Account,
}

impl Directory {
    pub fn new(place: Place) -> Self {
        Self { place, writer: Account::own() }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn filled_by(self, writer: Account) -> Self {
        Self { writer, ..self }
    }

    pub fn open(&self, dataset: &DatasetName, fileset: &Name, stop: &Stop) -> Result<Open, Error> {
        let dataset = self.place.create(dataset, fileset)?;
        let readers = self.place.readers().filter(|_| self.writer == Account::own());
        if readers.is_some() {
            dataset.shut(readers)?;
        }
        Open::new(dataset, self.writer, stop)
    }

    /// Shuts every snapshot that a killed run left open to its writer.
    pub fn close(&self, dataset: &DatasetName) -> Result<(), Error> {
        match self.place.find(dataset)? {
            Some(dataset) => open::shut_all(&dataset),
            None => Ok(()),
        }
    }

    pub fn has_trash(&self, dataset: &DatasetName) -> Result<bool, Error> {
        self.place.find(dataset)?.map_or(Ok(false), |dataset| dataset.has_trash())
    }

    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, Error> {
        self.place.find(dataset)?.map_or_else(|| Ok(Vec::new()), |dataset| dataset.listed())
    }

    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, Error> {
        let Some(dataset) = self.place.find(dataset)? else { return Ok(Destroyed::nothing_of(snapshots)) };
        let (doomed, mut result) = dataset.doom(snapshots)?;
        for name in doomed {
            match dataset.discard(&name.to_string()) {
                Ok(()) => result.destroyed.push(name),
                Err(errno) => result.skipped.push((name, errno.desc().to_owned())),
            }
        }
        if !result.destroyed.is_empty() {
            dataset.sync()?;
        }
        Ok(result)
    }

    pub fn empty_trash(&self, dataset: &DatasetName, stop: &Stop) -> Result<Emptied, Error> {
        self.place.find(dataset)?.map_or_else(|| Ok(Emptied::default()), |dataset| dataset.empty_trash(stop))
    }

    pub fn space(&self, dataset: &DatasetName) -> Result<Space, Error> {
        self.place.space(dataset)
    }
}

#[cfg(test)]
mod tests;
