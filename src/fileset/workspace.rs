//! What a storage hands to a transport, neither knowing the other.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The directory that a transport makes equal to the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    path: PathBuf,
    writes: Writes,
    /// Absent in a job is no.
    #[serde(default)]
    makes_holes: bool,
}

/// How the files of the workspace may be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Writes {
    /// Files may be updated where they are: the file system keeps history by copying on write (zfs, btrfs).
    InPlace,
    /// Files that are unchanged against `reference`, the last finished tree, are hard-linked from there. What is
    /// linked belongs to history and must never be written to: a changed file is written anew and renamed. Nothing in
    /// the workspace is linked from elsewhere when the transport gets it, and it is filled once: rsync changes the mode
    /// and the attributes of a file that an earlier call linked in place, and so in every snapshot that has the file
    /// (rsync(1), `--link-dest`).
    Linked {
        /// Absent for the first tree.
        reference: Option<PathBuf>,
    },
}

impl Workspace {
    pub fn new(path: PathBuf, writes: Writes) -> Self {
        Self { path, writes, makes_holes: false }
    }

    /// The same; whether the file system makes holes of zeros by itself.
    #[must_use]
    pub fn on_holes(self, makes_holes: bool) -> Self {
        Self { makes_holes, ..self }
    }

    /// An absolute path that exists, is a directory, and is ours to fill.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Whether zeros take no room however they are written.
    pub fn makes_holes(&self) -> bool {
        self.makes_holes
    }
}
