//! How the place is that holds datasets, by its own words: whether it can be written to, whether it still has what was
//! written, and what room there is. No dataset is looked into.

use super::{Error, Space, Storage};
use crate::fileset::reason::chain;

/// What a storage says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Nothing: all is well.
    pub findings: Vec<Finding>,
    /// The room for all datasets together; absent where it cannot be seen.
    pub space: Option<Space>,
}

/// One thing that is not as it should be, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub what: String,
}

/// What a finding means for backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// They are made and can be read; somebody should see to it while that is so.
    Worn,
    /// They cannot be made, or some of them cannot be read any more.
    Broken,
    /// We may not look, or nobody answers.
    Unseen,
}

impl Finding {
    pub fn new(severity: Severity, what: impl Into<String>) -> Self {
        Self { severity, what: what.into() }
    }

    /// Of what stood in the way.
    pub fn of(error: &Error) -> Self {
        let severity = if error.is_denied() { Severity::Unseen } else { Severity::Broken };
        Self::new(severity, chain(error))
    }
}

impl From<Finding> for Health {
    fn from(finding: Finding) -> Self {
        Self { findings: vec![finding], space: None }
    }
}

/// Of each of these, in their order. Pools are asked for together: the cost is that of one, however many there are.
pub fn look(storages: &[Storage]) -> Vec<Health> {
    let pools = storages.iter().filter_map(|storage| match storage {
        Storage::Zfs(storage) => Some(storage.pool()),
        Storage::Directory(_) | Storage::Btrfs(_) => None,
    });
    let pools = super::zfs::pools(pools.collect());
    let of = |storage: &Storage| match storage {
        Storage::Directory(storage) => storage.place().health(),
        Storage::Btrfs(storage) => storage.health(),
        Storage::Zfs(storage) => storage.health(&pools),
    };
    storages.iter().map(of).collect()
}
