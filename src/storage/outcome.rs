//! What opening a dataset, destroying snapshots and emptying the trash came to.

use super::Error;
use crate::fileset::snapshot::Automatic;

/// What an earlier run that never came to its end left in a dataset.
#[derive(Debug)]
pub enum Leftover {
    None,
    /// Part of a tree: the workspace holds it, and the transfer goes on from there.
    Resumed,
    /// Something that is not safe to go on with, and why: it is in the trash now, the transfer begins anew.
    Discarded(Box<Error>),
}

/// What became of snapshots that were to be destroyed: each is in one of the two.
#[derive(Debug, Default)]
pub struct Destroyed {
    /// No longer listed.
    pub destroyed: Vec<Automatic>,
    /// Still as they were, and why.
    pub skipped: Vec<(Automatic, String)>,
}

impl Destroyed {
    /// None of these is there.
    pub(super) fn nothing_of(snapshots: &[Automatic]) -> Self {
        let skipped = snapshots.iter().map(|&name| (name, "it is not there".to_owned())).collect();
        Self { destroyed: Vec::new(), skipped }
    }
}

/// What emptying the trash came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Emptied {
    /// Files and directories.
    pub removed: u64,
    /// Whether it was stopped before the end. The next time goes on.
    pub stopped: bool,
}
