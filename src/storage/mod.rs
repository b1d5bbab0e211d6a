//! Where datasets live. One variant per kind of storage; none knows how data gets into a workspace.

use std::path::PathBuf;

/// A `[storage.NAME]` table, valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// A directory on any file system: history is kept as trees of hard links.
    Directory {
        /// An absolute path.
        path: PathBuf,
    },
}
