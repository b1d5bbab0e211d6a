//! What snapshots of ours are called.

use crate::fileset::snapshot::{Automatic, Kept, Snapshot};
use std::fmt;
use time::OffsetDateTime;

/// The name of a snapshot that is ours: it cannot name anything else in a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotName {
    Automatic(Automatic),
    Kept(Kept),
}

impl SnapshotName {
    /// Of any text: `None` where it is not one of our names.
    pub fn parse(text: &str) -> Option<Self> {
        match Snapshot::from(text) {
            Snapshot::Automatic(name) => Some(Self::Automatic(name)),
            Snapshot::Kept(name) => Some(Self::Kept(name)),
            Snapshot::Foreign(_) => None,
        }
    }

    pub fn time(&self) -> OffsetDateTime {
        match self {
            Self::Automatic(name) => name.time(),
            Self::Kept(name) => name.time(),
        }
    }
}

impl From<SnapshotName> for Snapshot {
    fn from(name: SnapshotName) -> Self {
        match name {
            SnapshotName::Automatic(name) => Self::Automatic(name),
            SnapshotName::Kept(name) => Self::Kept(name),
        }
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Automatic(name) => name.fmt(f),
            Self::Kept(name) => name.fmt(f),
        }
    }
}
