//! What there is of another host's datasets, below the dataset of the fileset that copies them.

use crate::fileset::replica::{Child, Dataset, Kind, Token};

/// One of those, as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub child: Child,
    pub kind: Kind,
    /// What it was at the source when it first came; absent where nothing of that is known.
    pub source: Option<Dataset>,
    /// It came encrypted, with a key that is not ours.
    pub is_raw: bool,
    /// Of a clone, whose snapshot below the same fileset it began as.
    pub origin: Option<Origin>,
    /// What a receive that broke off left.
    pub partial: Option<Partial>,
    /// Oldest first, those of others too.
    pub snapshots: Vec<Frozen>,
}

/// In the names of what was put aside.
pub const ASIDE: &str = ".before-";

impl Copied {
    /// Whether it was put aside, because the source does not go on from it.
    pub fn is_aside(&self) -> bool {
        self.child.as_str().contains(ASIDE)
    }
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
}
