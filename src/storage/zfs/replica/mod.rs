//! A dataset that is a container: below it are datasets of another host's, received whole.
//!
//! ```text
//! PARENT/DATASET                  the container; planb:fileset says whose it is. Its own files are nobody's
//! PARENT/DATASET/CHILD            a dataset of the source's; planb:source says which. Never mounted but to be looked at
//! PARENT/DATASET/CHILD@NAME       as it was
//! PARENT/DATASET@NAME             what makes that a snapshot of the fileset; planb:children says of how many datasets
//! ```
//!
//! The container's snapshot is made last and destroyed first, so that whatever ends a run, a snapshot of the fileset is one
//! that all its datasets have. What others destroyed since is seen by the number. In each child the newest snapshot that came,
//! which the next stream builds on, is held ([`HOLD`]): nobody destroys it by mistake. What came after it are repeats of it
//! ([`REPEATS`]), on top of which a stream is received as on top of itself.

mod branch;
mod hold;
mod list;
mod receive;
mod repeat;
mod show;
mod stream;
mod sweep;
mod verify;

pub use hold::{HOLD, tags};
pub use list::Below;
pub use receive::{Expected, Received};

pub use show::show;
pub use verify::Claim;

use super::command::zfs;
use super::dataset::properties;
use super::open::{Mounted, top};
use super::{Error, StorageError, Zfs};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::replica::{Child, CopyId};
use crate::host::signals::Stop;
use crate::keys::Keys;
use crate::storage::SnapshotName;
use std::path::{Path, PathBuf};

/// On a container's snapshot: of how many datasets it is.
pub const CHILDREN: &str = "planb:children";

/// On a snapshot of a child: nothing came for it, and it is what the one before it is.
const REPEATS: (&str, &str) = ("planb:repeats", "yes");

/// On a child: what it is at the source.
pub const SOURCE: &str = "planb:source";

/// A container that is open for a run. Dropping it closes it.
#[derive(Debug)]
pub struct Replica {
    container: String,
    copy: CopyId,
    mounted: Mounted,
}

impl Zfs {
    /// Opens the container of that fileset, and makes it where it is missing.
    pub fn replica(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Replica, StorageError> {
        let mounted = self.enter(dataset, fileset, keys, stop)?;
        // What is below it is as private as what is in others.
        top(&mounted.dataset)?;
        let container = mounted.dataset.name.clone();
        let Some(found) = properties(&container)? else {
            return Err(
                Error::NotUnderstood { said: format!("{container} was opened and is not there") }.into()
            );
        };
        let guid = found.value("guid")?;
        let copy = guid.parse().map_err(|_| Error::NotUnderstood { said: guid.to_owned() })?;
        Ok(Replica { container, copy: CopyId(copy), mounted })
    }
}

impl Replica {
    /// Which copy of the source this is, to the source.
    pub fn copy(&self) -> CopyId {
        self.copy
    }

    /// Where its children's files would be.
    pub fn path(&self) -> &Path {
        &self.mounted.dataset.path
    }

    /// Makes what its children have by this name a snapshot of the fileset, of so many of them.
    pub fn seal(&self, name: &SnapshotName, children: usize) -> Result<PathBuf, StorageError> {
        let snapshot = format!("{}@{name}", self.container);
        zfs(&["snapshot", "-o", &format!("{CHILDREN}={children}"), &snapshot])?;
        Ok(self.path().to_owned())
    }

    fn full(&self, child: &Child) -> String {
        format!("{}/{child}", self.container)
    }
}
