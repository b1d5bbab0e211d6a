//! Other names and places for what is here: nothing in here destroys a snapshot.

use super::{Replica, SOURCE};
use crate::fileset::replica::{Child, Kind};
use crate::storage::Error as StorageError;
use crate::storage::zfs::command::zfs;
use crate::storage::zfs::error::Error;

impl Replica {
    /// Forgets half a snapshot. What it was the first of goes with it: there never was more.
    pub fn abandon(&self, child: &Child) -> Result<(), StorageError> {
        match zfs(&["receive", "-A", &self.full(child)]) {
            Err(Error::Failed { said, .. }) if said.contains("does not have any resumable") => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }

    /// Gives a child, and all that is below it, another name.
    pub fn rename(&self, from: &Child, to: &Child) -> Result<(), StorageError> {
        // Looked at by somebody, it would stay mounted where the other belongs.
        zfs(&["rename", &self.full(from), &self.full(to)]).map(drop).map_err(StorageError::from)
    }

    /// Makes a child of what another was at a snapshot, without a copy of anything.
    pub fn branch(
        &self,
        aside: &Child,
        snapshot: &str,
        child: &Child,
        kind: Kind,
    ) -> Result<(), StorageError> {
        let source = zfs(&["get", "-Hp", "-o", "value", SOURCE, &self.full(aside)])?;
        let mut arguments = vec!["clone".to_owned()];
        for (name, value) in super::receive::own(kind).chain([(SOURCE, source.trim())]) {
            arguments.extend(["-o".to_owned(), format!("{name}={value}")]);
        }
        arguments.extend([format!("{}@{snapshot}", self.full(aside)), self.full(child)]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        zfs(&arguments).map(drop).map_err(StorageError::from)
    }

    /// Gives a clone all that its origin was up to there. The origin is the clone then, of what came after.
    pub fn promote(&self, child: &Child) -> Result<(), StorageError> {
        zfs(&["promote", &self.full(child)]).map(drop).map_err(StorageError::from)
    }

    /// An empty file system for others to be below it.
    pub fn parent(&self, child: &Child) -> Result<(), StorageError> {
        let mut arguments = vec!["create".to_owned(), "-u".to_owned()];
        for (name, value) in super::receive::own(Kind::Filesystem) {
            arguments.extend(["-o".to_owned(), format!("{name}={value}")]);
        }
        arguments.push(self.full(child));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        zfs(&arguments).map(drop).map_err(StorageError::from)
    }
}
