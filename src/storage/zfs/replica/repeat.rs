//! Snapshots of children to which nothing was written at the source since their last: what is here is what is there.

use super::{REPEATS, Replica};
use crate::fileset::replica::Child;
use crate::storage::Error as StorageError;
use crate::storage::zfs::command::zfs;

/// How many snapshots one call may name.
const AT_ONCE: usize = 500;

impl Replica {
    /// Makes a snapshot of what each of these holds.
    ///
    /// `zfs receive` takes a stream without `-F` also where snapshots came after what it builds on, if nothing else did
    /// (`recv_begin_check_existing_impl` of OpenZFS), and no raw one: do not call it for what comes raw.
    pub fn repeat(&self, children: &[Child], name: &str) -> Result<(), StorageError> {
        let (property, value) = REPEATS;
        let property = format!("{property}={value}");
        for children in children.chunks(AT_ONCE) {
            let snapshots: Vec<String> =
                children.iter().map(|child| format!("{}@{name}", self.full(child))).collect();
            let snapshots = snapshots.iter().map(String::as_str);
            let arguments: Vec<&str> = ["snapshot", "-o", &property].into_iter().chain(snapshots).collect();
            zfs(&arguments)?;
        }
        Ok(())
    }
}
