//! What a `[storage.NAME]` table comes to, and where its datasets are.

use super::{DATA, zfs};
use crate::fileset::name::DatasetName;
use crate::fileset::zfs::Filesystem;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A `[storage.NAME]` table, valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settings {
    /// A directory on any file system: history is kept as trees of hard links.
    Directory {
        /// An absolute path.
        path: PathBuf,
    },
    /// A directory of a btrfs: a dataset is a subvolume, history is read-only snapshots of it.
    Btrfs {
        /// An absolute path.
        path: PathBuf,
    },
    /// Below a file system of a pool: a dataset is a file system of its own.
    Zfs {
        /// What the datasets are children of.
        parent: Filesystem,
        /// Where the parent's children are mounted, an absolute path.
        path: PathBuf,
    },
}

impl Settings {
    /// The directory below which the datasets are, and nothing else is of anybody's concern.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory { path } | Self::Btrfs { path } | Self::Zfs { path, .. } => path,
        }
    }

    /// The `type` that it was written with.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "directory",
            Self::Btrfs { .. } => "btrfs",
            Self::Zfs { .. } => "zfs",
        }
    }

    /// What the datasets are children of, where they are not only directories.
    pub fn parent(&self) -> Option<&Filesystem> {
        match self {
            Self::Directory { .. } | Self::Btrfs { .. } => None,
            Self::Zfs { parent, .. } => Some(parent),
        }
    }

    /// What a transfer must reach of a dataset: where trees are linked from each other, all of it; where files are
    /// updated in place, these alone, and nothing of the history.
    pub fn reach(&self, dataset: &DatasetName) -> PathBuf {
        let dataset = self.path().join(dataset);
        match self {
            Self::Directory { .. } => dataset,
            Self::Btrfs { .. } | Self::Zfs { .. } => dataset.join(DATA),
        }
    }

    /// What the storage itself calls a dataset.
    pub fn name_of(&self, dataset: &DatasetName) -> String {
        match self {
            Self::Directory { path } | Self::Btrfs { path } => {
                path.join(dataset).to_string_lossy().into_owned()
            }
            Self::Zfs { parent, .. } => parent.child(dataset),
        }
    }

    /// What a person calls so that user planb may make snapshots of a dataset, where that takes more than to write to it.
    pub fn granting_snapshots(&self, dataset: &DatasetName) -> Option<String> {
        match self {
            Self::Directory { .. } | Self::Btrfs { .. } => None,
            Self::Zfs { parent, .. } => Some(format!("zfs allow -u planb snapshot {parent}/{dataset}")),
        }
    }

    /// What a person calls who wants to be rid of a dataset and all its snapshots. We never do. `is_container`: there are
    /// datasets of another host below it.
    pub fn destroying(&self, dataset: &DatasetName, is_container: bool) -> String {
        let quoted = |path: PathBuf| format!("'{}'", path.display());
        match self {
            Self::Directory { path } => format!("rm -rf --one-file-system {}", quoted(path.join(dataset))),
            Self::Btrfs { path } => {
                let path = quoted(path.join(dataset));
                // Each subvolume by the inode that only their top directories have, but for what is inside of one.
                format!(
                    "find {path} -mindepth 1 -maxdepth 3 -inum 256 -prune -exec btrfs subvolume delete {{}} + && \
                     rm -rf --one-file-system {path}"
                )
            }
            Self::Zfs { parent, .. } if is_container => {
                let hold = zfs::HOLD;
                format!(
                    "zfs list -Hro name -t snapshot {parent}/{dataset} | xargs -rn1 zfs release {hold}; zfs destroy -r \
                     {parent}/{dataset}"
                )
            }
            Self::Zfs { parent, .. } => format!("zfs destroy -r {parent}/{dataset}"),
        }
    }
}
