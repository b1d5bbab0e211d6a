//! Datasets as things with names: which there are, and giving one another name and owner.

use super::command::{check_pool, zfs};
use super::dataset::{OWNER, properties};
use super::error::Error;
use super::listing::{self, Properties};
use super::{StorageError, Zfs};
use crate::fileset::name::{DatasetName, Name};
use crate::storage::{Held, Rename};

impl Zfs {
    /// One listing for all of them, with their snapshots.
    pub fn datasets(&self) -> Result<Vec<Held>, StorageError> {
        check_pool(self.parent.as_str())?;
        let columns = format!("name,used,{OWNER},type");
        let types = [
            "list",
            "-Hp",
            "-t",
            "filesystem,volume,snapshot",
            "-d",
            "2",
            "-o",
            &columns,
            self.parent.as_str(),
        ];
        match zfs(&types) {
            Err(error) if error.is_missing() => Ok(Vec::new()),
            text => Ok(listing::held(&text?, self.parent.as_str())),
        }
    }

    pub fn may_rename(&self, rename: &Rename) -> Result<bool, StorageError> {
        check_pool(self.parent.as_str())?;
        if rename.moves() && properties(&self.parent.child(&rename.to))?.is_some() {
            return Err(StorageError::Taken { path: self.path.join(&rename.to) });
        }
        let Some(found) = properties(&self.parent.child(&rename.from))? else { return Ok(false) };
        self.require(&rename.from, &found, &rename.old)?;
        if self.marks(&rename.from).look().people().next().is_some() {
            return Err(Error::OpenForPeople { filesystem: self.parent.child(&rename.from) }.into());
        }
        Ok(true)
    }

    pub fn rename(&self, rename: &Rename) -> Result<(), StorageError> {
        check_pool(self.parent.as_str())?;
        let here = properties(&self.parent.child(&rename.from))?;
        let there = if rename.moves() { properties(&self.parent.child(&rename.to))? } else { None };
        let (dataset, found) = match (here, there) {
            (Some(_), Some(_)) => return Err(StorageError::Taken { path: self.path.join(&rename.to) }),
            (Some(found), None) => (&rename.from, found),
            (None, Some(found)) => (&rename.to, found),
            (None, None) => return Ok(()),
        };
        if found.own(OWNER) != Some(rename.new.as_str()) {
            self.require(dataset, &found, &rename.old)?;
            zfs(&["set", &format!("{OWNER}={}", rename.new), &self.parent.child(dataset)])?;
        }
        if dataset == &rename.from && rename.moves() {
            // What a killed run left mounted would stay so, under a name that nobody looks for.
            self.close(&rename.from)?;
            zfs(&["rename", &self.parent.child(&rename.from), &self.parent.child(&rename.to)])?;
        }
        Ok(())
    }

    /// Who has no owner yet is his who has it in his configuration.
    fn require(&self, dataset: &DatasetName, found: &Properties, fileset: &Name) -> Result<(), Error> {
        match found.own(OWNER) {
            Some(owner) if owner != fileset.as_str() => Err(Error::BelongsToAnother {
                filesystem: self.parent.child(dataset),
                owner: owner.to_owned(),
                fileset: fileset.clone(),
            }),
            _ => Ok(()),
        }
    }
}
