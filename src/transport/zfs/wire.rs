//! What the run, which is root, and its hands at the source, which are not, say to each other: orders one way, answers the
//! other, one JSON text a line. The stream itself goes another way.
//!
//! Whoever orders does not trust who answers: a line has a longest, whatever names something can be nothing but a name,
//! and what is not understood is no answer. What an answer says of the source is the source's own word: it decides what is
//! asked for next, and never what is destroyed here.

pub use crate::fileset::replica::{Child, CopyId, Dataset, Kind, Mark, Token};

use crate::transport::Failure;
use serde::{Deserialize, Serialize};

/// The longest line of either direction, in bytes: of a listing, which has a hundred for each snapshot.
pub const LONGEST: u64 = 256 << 20;

/// The user property that says of a snapshot on the source whose it is: its value is the [`CopyId`]'s.
pub const OURS: &str = "planb:copy";

/// What is to be done at the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Ask the planb there which datasets are wanted: [`Answer::Tagged`]. A listing is of these then.
    Ask,
    /// Say what there is: [`Answer::Listed`].
    List,
    /// Snapshot these datasets at one moment (for each pool of the source): [`Answer::Snapshots`].
    Snapshot { name: Mark, datasets: Vec<Dataset> },
    /// Send one snapshot into the stream, whose end is the stream's end: [`Answer::Sent`].
    Send(Send),
    /// Go on where a stream broke off: [`Answer::Sent`].
    Resume { token: Token },
    /// Guard what the next transfers build on, then let go what earlier ones did, and prune: [`Answer::Kept`].
    Keep { bases: Vec<Base> },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub dataset: Dataset,
    pub snapshot: Mark,
    pub from: From,
    /// As it lies on the source's disks, encrypted where it is.
    pub raw: bool,
}

/// What the other side has already, and the stream builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    Nothing,
    Snapshot(Mark),
    Bookmark(Mark),
}

/// What the next transfer of a dataset builds on: a snapshot that is safely here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    pub dataset: Dataset,
    /// It may be another's than ours, which is not held: whoever made it destroys it when they like.
    pub snapshot: Mark,
    pub guid: u64,
    /// What its bookmark is called, if it has none yet: as only ours are.
    pub bookmark: Mark,
}

/// What became of an order. While it is carried out, progress and notices are told as of every transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// As the planb there names them.
    Tagged(Vec<Dataset>),
    Listed(Listing),
    /// Made, of all that were asked for, in that order.
    Snapshots(Vec<Snapshot>),
    /// The source's zfs ended well, and all it sent is in the stream: so many bytes.
    Sent {
        bytes: u64,
    },
    /// Done as far as it could be; what could not was told. The bases of `unguarded` are neither held nor bookmarked: what
    /// guards the one before is still there.
    Kept {
        unguarded: Vec<Dataset>,
    },
    /// It cannot be done, for a reason that the one who ordered can do something about. Nothing, or not all, is in the stream.
    Cannot {
        why: Why,
        reason: String,
    },
    /// It cannot be done, and the run with it.
    Failed(Failure),
}

/// Why an order cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// What the token would go on with is not on the source any more, or not as it was: send it from its beginning.
    TokenGone,
    /// What the stream should build on is not there: build on something else.
    BaseGone,
    /// What the stream should build on is no ancestor of the snapshot: the source was rolled back or made anew.
    BaseNotEarlier,
    /// The snapshot, or its whole dataset, is not there.
    SnapshotGone,
    /// The source's login is not allowed to; `reason` has the remedy.
    NotAllowed,
    /// The source has no room for a snapshot.
    NoRoom,
    /// There is a snapshot of that name.
    Taken,
    /// It is encrypted, its key is not loaded, and it was not asked for raw.
    KeyNotLoaded,
    /// Nobody takes the stream any more.
    NotTaken,
}

/// What there is on the source, as far as the fileset is about it: after `recursive`, `exclude` and renaming.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Parents before their children.
    pub datasets: Vec<Source>,
    /// Named in the configuration, and not there.
    pub missing: Vec<Dataset>,
}

impl Listing {
    /// Those that neither have one below them nor are below another.
    pub fn alone(&self) -> impl Iterator<Item = &Source> {
        let within = |one: &Source, other: &Source| {
            let below = one.dataset.as_str().strip_prefix(other.dataset.as_str());
            below.is_some_and(|below| below.starts_with('/'))
        };
        let is_alone =
            move |one: &&Source| !self.datasets.iter().any(|other| within(one, other) || within(other, one));
        self.datasets.iter().filter(is_alone)
    }
}

/// One dataset of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub dataset: Dataset,
    pub child: Child,
    pub kind: Kind,
    pub guid: u64,
    /// Absent: it is not encrypted.
    pub encryption: Option<Encryption>,
    /// Bytes that it holds itself, as it is now.
    pub referenced: u64,
    /// Oldest first. Those whose name is none that we could say are left out.
    pub snapshots: Vec<Snapshot>,
    /// Likewise.
    pub bookmarks: Vec<Bookmark>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// Whose key it has.
    pub root: Dataset,
    pub key_is_loaded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub dataset: Dataset,
    pub name: Mark,
    pub guid: u64,
    /// The pool's transaction in which it was made: what orders snapshots and bookmarks of a dataset.
    pub createtxg: u64,
    /// Bytes written since the snapshot before it, whosever that is. Nothing changed in between when it is 0.
    pub written: u64,
    /// Bytes that it holds.
    pub referenced: u64,
    /// This copy's own.
    pub is_ours: bool,
    /// Somebody holds it, we or another.
    pub is_held: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bookmark {
    pub name: Mark,
    /// The snapshot's that it was made of.
    pub guid: u64,
    /// Likewise.
    pub createtxg: u64,
    pub is_ours: bool,
}

#[cfg(test)]
impl Source {
    /// A file system that is not encrypted, and has nothing yet.
    pub fn of(dataset: &str, child: &str) -> Self {
        Self {
            dataset: dataset.parse().expect("a name"),
            child: child.parse().expect("a name"),
            kind: Kind::Filesystem,
            guid: 1,
            encryption: None,
            referenced: 0,
            snapshots: Vec::new(),
            bookmarks: Vec::new(),
        }
    }
}

#[cfg(test)]
impl Snapshot {
    /// Of nobody's, whose GUID is also when it was made.
    pub fn of(dataset: &str, name: &str, guid: u64) -> Self {
        Self {
            dataset: dataset.parse().expect("a name"),
            name: name.parse().expect("a name"),
            guid,
            createtxg: guid,
            written: 0,
            referenced: 0,
            is_ours: false,
            is_held: false,
        }
    }
}
