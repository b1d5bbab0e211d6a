//! What it takes to have the datasets of a source here as they were at one moment: from what there is and what here is.
//!
//! Pure: two listings in, steps out. It is made anew from what is then there whenever something went otherwise than
//! planned, so that whatever ended an earlier run, however far that came, is just where this one begins. Nothing in a plan
//! destroys a snapshot: what the source no longer goes on from is put aside under another name, and said.

mod base;
mod planner;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use crate::fileset::replica::{Child, CopyId, Kind, Token};
use crate::storage::{Copied, SnapshotName};
use crate::transport::zfs::wire::{From, Snapshot, Source};
use planner::Planner;
use std::collections::BTreeSet;

/// What is asked of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub copy: CopyId,
    /// What the source's snapshots of this run are called here.
    pub name: &'a SnapshotName,
    /// Stands in the names of what is put aside: a time, as in the names of snapshots.
    pub stamp: &'a str,
    /// The newest snapshot of the fileset.
    pub newest: Option<&'a SnapshotName>,
    pub spurned: &'a Spurned,
}

/// What the source would not do in this run although its listing says that it could: no plan of this run asks again.
#[derive(Debug, Default)]
pub struct Spurned {
    /// Whose half-received snapshot could not be gone on with.
    pub partials: BTreeSet<Child>,
    /// GUIDs of snapshots, with whose they are, that could not be built on.
    pub bases: BTreeSet<(Child, u64)>,
}

/// A dataset of the source, and its snapshot of this run.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub source: &'a Source,
    pub target: &'a Snapshot,
    /// It comes as it lies on the source's disks.
    pub raw: bool,
    /// It is here in this state already, and nothing comes of it.
    pub rests: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be taken in this order.
    pub steps: Vec<Step>,
    /// What the administrator should know, in words.
    pub notices: Vec<String>,
    /// Why it cannot be: with one of these nothing is to be done at all.
    pub refusals: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Forget half a snapshot.
    Abandon {
        child: Child,
    },
    /// Another name, with all that is below it.
    Rename {
        from: Child,
        to: Child,
    },
    /// Make `child` of what `aside` was at this snapshot. With [`Step::Promote`] after it, all up to there is the child's.
    Branch {
        aside: Child,
        snapshot: String,
        child: Child,
    },
    Promote {
        child: Child,
    },
    /// An empty file system for others to be below it.
    Parent {
        child: Child,
    },
    Receive(Receive),
}

/// A snapshot to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receive {
    pub child: Child,
    pub kind: Kind,
    /// The dataset is not there yet.
    pub is_new: bool,
    /// What it is called here.
    pub name: String,
    pub guid: u64,
    pub how: How,
    pub raw: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// The snapshot of this run, on top of what is here.
    Send { base: Option<Base> },
    /// The rest of a snapshot that is here in part.
    Resume { token: Token },
}

/// What is on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    pub guid: u64,
    /// When it was made, at the source.
    pub createtxg: u64,
    pub from: From,
}

/// Plans for all of these, parents before their children.
pub fn plan(wanted: &[Wanted<'_>], here: Vec<Copied>, wish: Wish<'_>) -> Plan {
    Planner::new(wanted, here, wish).plan()
}
