//! A storage on OpenZFS: a dataset is a file system of its own, and history is its snapshots.
//!
//! ```text
//! PARENT/DATASET                              the file system; planb:fileset says whose it is
//! PATH/DATASET/data                           the files as they are, updated in place: only changed blocks are written
//! PATH/DATASET/.zfs/snapshot/NAME/data        the files as they were
//! ```
//!
//! It is mounted for as long as a run needs it, and its key is loaded for no longer. What zfs is asked is bounded: one
//! listing whatever the number of filesets, one call to destroy whatever the number of snapshots. Nothing here destroys
//! a file system, and nothing is ever recursive.

mod command;
mod dataset;
mod error;
mod key;
mod listing;
mod mount;
mod open;
mod rename;

pub use error::Error;
pub use open::Open;

use super::{Destroyed, Emptied, Error as StorageError, Listed, SnapshotName, Space};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::reason::chain;
use crate::fileset::snapshot::Automatic;
use crate::fileset::zfs::Filesystem;
use crate::host::account::Account;
use crate::host::signals::Stop;
use crate::keys::Keys;
use command::{check_pool, zfs};
use mount::Marks;
use open::{Mounted, files_of};
use std::collections::HashMap;
use std::path::PathBuf;

/// How many snapshots one call may name: far below what a command line may hold.
const AT_ONCE: usize = 2000;

/// The file system below which the datasets are.
#[derive(Debug)]
pub struct Zfs {
    parent: Filesystem,
    path: PathBuf,
    /// /run/planb.
    runtime: PathBuf,
    /// Who fills workspaces: we ourselves, or whom we let.
    writer: Account,
}

impl Zfs {
    pub fn new(parent: Filesystem, path: PathBuf, runtime: PathBuf) -> Self {
        Self { parent, path, runtime, writer: Account::own() }
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
    ) -> Result<Open, StorageError> {
        let mounted = self.mount(dataset, fileset, keys, stop)?;
        if stop.wished() {
            return Err(Error::Stopped.into());
        }
        Open::new(mounted, self.writer)
    }

    /// Mounts the dataset until what is returned is dropped.
    fn mount(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Mounted, Error> {
        check_pool(self.parent.as_str())?;
        let found = dataset::find_or_create(&self.parent, dataset, &self.path, fileset, keys, stop)?;
        let marks = Marks::of(&self.runtime, dataset);
        mount::mount(&found, fileset, keys, &marks, stop)?;
        Ok(Mounted { dataset: found, marks })
    }

    pub fn close(&self, dataset: &DatasetName) -> Result<(), StorageError> {
        Ok(mount::close(&self.name(dataset), &Marks::of(&self.runtime, dataset))?)
    }

    /// zfs frees what is destroyed by itself, in the background.
    pub fn has_trash(&self) -> bool {
        false
    }

    pub fn empty_trash(&self) -> Emptied {
        Emptied::default()
    }

    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, StorageError> {
        check_pool(self.parent.as_str())?;
        let text = match self.list("name,used,referenced", &self.name(dataset)) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            text => text?,
        };
        let mut listed: Vec<Listed> =
            listing::snapshots(&text).map(|(_, row)| self.listed(dataset, row)).collect();
        listed.sort_by_cached_key(|there| (there.name.time(), there.name.to_string()));
        Ok(listed)
    }

    /// Asks for names alone: what each snapshot uses takes zfs a look at the disks for each.
    pub fn snapshots_of(&self, datasets: &[&DatasetName]) -> Vec<Result<Vec<Listed>, StorageError>> {
        let all = check_pool(self.parent.as_str()).and_then(|()| {
            match zfs(&[
                "list",
                "-Hp",
                "-t",
                "snapshot",
                "-o",
                "name",
                "-s",
                "name",
                "-d",
                "2",
                self.parent.as_str(),
            ]) {
                Err(error) if error.is_missing() => Ok(String::new()),
                text => text,
            }
        });
        let text = match all {
            Ok(text) => text,
            // Each is told for itself; the first is told why.
            Err(error) => {
                let said = chain(&error);
                let failed =
                    || Err(Error::NotListed { parent: self.parent.to_string(), why: said.clone() }.into());
                return datasets.iter().map(|_| failed()).collect();
            }
        };
        let mut rows: HashMap<&str, Vec<listing::Row>> = HashMap::new();
        for (filesystem, row) in listing::snapshots(&text) {
            rows.entry(filesystem).or_default().push(row);
        }
        let of = |dataset: &&DatasetName| {
            let rows = rows.remove(self.name(dataset).as_str()).unwrap_or_default();
            let mut listed: Vec<Listed> = rows.into_iter().map(|row| self.listed(dataset, row)).collect();
            listed.sort_by_cached_key(|there| (there.name.time(), there.name.to_string()));
            Ok(listed)
        };
        datasets.iter().map(of).collect()
    }

    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, StorageError> {
        let filesystem = self.name(dataset);
        check_pool(&filesystem)?;
        let text = self.list("name,userrefs,clones", &filesystem)?;
        let there = automatic(&text);
        if let Some(newest) = there.iter().max().filter(|newest| snapshots.contains(newest)) {
            let path = files_of(&self.path.join(dataset), &SnapshotName::Automatic(*newest));
            return Err(StorageError::Newest { path });
        }
        let mut in_use = listing::in_use(&text);
        let mut result = Destroyed::default();
        let mut free = Vec::new();
        for &name in snapshots {
            match in_use.remove(&name) {
                Some(why) => result.skipped.push((name, why)),
                None if !there.contains(&name) => result.skipped.push((name, "it is not there".into())),
                None => free.push(name),
            }
        }
        for batch in free.chunks(AT_ONCE) {
            match destroy(&filesystem, batch) {
                Ok(()) => result.destroyed.extend(batch),
                // One that came into use since the listing holds up all of them: then one by one.
                Err(_) => {
                    for &name in batch {
                        match destroy(&filesystem, &[name]) {
                            Ok(()) => result.destroyed.push(name),
                            Err(error) => result.skipped.push((name, chain(&error))),
                        }
                    }
                }
            }
        }
        Ok(result)
    }

    /// The room of the dataset within that of the parent, whose share of the pool backups have for themselves.
    pub fn space(&self, dataset: &DatasetName) -> Result<Space, StorageError> {
        check_pool(self.parent.as_str())?;
        let of = |name: &str| {
            zfs(&["list", "-Hp", "-o", "used,available", name]).and_then(|text| listing::space(&text))
        };
        let mut above = self.parent.as_str();
        let parent = loop {
            match (of(above), above.rsplit_once('/')) {
                // It will be made.
                (Err(error), Some((next, _))) if error.is_missing() => above = next,
                (space, _) => break space?,
            }
        };
        match of(&self.name(dataset)) {
            Ok(own) => Ok(Space { total: parent.total, available: own.available.min(parent.available) }),
            Err(error) if error.is_missing() => Ok(parent),
            Err(error) => Err(error.into()),
        }
    }

    fn name(&self, dataset: &DatasetName) -> String {
        dataset::name(&self.parent, dataset)
    }

    fn list(&self, columns: &str, filesystem: &str) -> Result<String, Error> {
        zfs(&["list", "-Hp", "-t", "snapshot", "-d", "1", "-o", columns, filesystem])
    }

    fn listed(&self, dataset: &DatasetName, row: listing::Row) -> Listed {
        let path = files_of(&self.path.join(dataset), &row.name);
        Listed { path, name: row.name, used: row.used, referenced: row.referenced }
    }
}

/// The automatic snapshots in a listing.
fn automatic(text: &str) -> Vec<Automatic> {
    listing::snapshots(text)
        .filter_map(|(_, row)| match row.name {
            SnapshotName::Automatic(name) => Some(name),
            SnapshotName::Kept(_) => None,
        })
        .collect()
}

/// Destroys these snapshots, all of them or none.
fn destroy(filesystem: &str, snapshots: &[Automatic]) -> Result<(), Error> {
    let names: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
    zfs(&["destroy", &format!("{filesystem}@{}", names.join(","))]).map(drop)
}
