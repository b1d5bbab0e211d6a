//! What there is of another host's datasets, below the dataset of the fileset that copies them.

use crate::fileset::replica::{Child, Kind, Token};

/// One of those, as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub child: Child,
    pub kind: Kind,
    /// It came encrypted, with a key that is not ours.
    pub is_raw: bool,
    /// Of a clone, whose snapshot below the same fileset it began as.
    pub origin: Option<Origin>,
    /// What a receive that broke off left.
    pub partial: Option<Partial>,
    /// Oldest first, those of others too.
    pub snapshots: Vec<Frozen>,
}

/// Where a clone began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub child: Child,
    pub snapshot: String,
}

/// Half a snapshot, and how to go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    pub token: Token,
    /// The GUID of the snapshot that it would become; absent where the token does not tell.
    pub to: Option<u64>,
}

/// A snapshot of such a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    pub name: String,
    /// The same as at the source, if it came from there.
    pub guid: u64,
    /// The pool's transaction that made it.
    pub createtxg: u64,
    /// Somebody holds it, we or another.
    pub is_held: bool,
    /// It was made here, since its dataset had not changed at the source, and holds what the one before it does.
    pub is_repeat: bool,
}

impl Copied {
    /// What came from the source of a snapshot, by its name: itself, or what it repeats.
    pub fn came(&self, name: &str) -> Option<&Frozen> {
        let at = self.snapshots.iter().rposition(|frozen| frozen.name == name)?;
        self.snapshots[..=at].iter().rev().find(|frozen| !frozen.is_repeat)
    }

    /// The newest that is no repeat.
    pub fn newest(&self) -> Option<&Frozen> {
        self.snapshots.iter().rev().find(|frozen| !frozen.is_repeat)
    }

    /// Whether what is at this place is what the dataset holds now, whatever repeats it.
    pub fn is_newest(&self, at: usize) -> bool {
        self.snapshots.get(at + 1..).is_some_and(|later| later.iter().all(|frozen| frozen.is_repeat))
    }
}
