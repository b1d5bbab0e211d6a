//! What a storage refuses or cannot do, and what the administrator should do about it.

use crate::fileset::name::{DatasetName, Name};
use crate::host::process::{self, Ending};
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the storage's path must be absolute, and {} is not", .path.display())]
    NotAbsolute { path: PathBuf },
    /// Never created here: what is missing may be a disk, and its backups would fill the one below.
    #[error("the storage {} is not there: mount the disk that belongs there, or create the directory", .path.display())]
    Missing { path: PathBuf },
    #[error("{} is not a directory", .path.display())]
    NotADirectory { path: PathBuf },
    #[error(
        "{} is a symbolic link, which a dataset may not be: give the storage the path it leads to, or mount it here",
        .path.display()
    )]
    Link { path: PathBuf },
    #[error(
        "{} belongs to the fileset {owner:?}: choose another dataset, or, if {owner:?} is gone for good, \
         take it over by writing {fileset} into {}",
        .path.display(), .path.join(super::dataset::MARKER).display()
    )]
    BelongsToAnother { path: PathBuf, owner: String, fileset: Name },
    #[error(
        "{} holds files that are not a dataset's: choose another dataset, or, if they may stay beside the backups, \
         write {fileset} into {}",
        .path.display(), .path.join(super::dataset::MARKER).display()
    )]
    NotADataset { path: PathBuf, fileset: Name },
    #[error(
        "{} is on another file system than the rest of its dataset: files cannot be hard-linked between the two; \
         unmount it there, or mount the whole dataset",
        .path.display()
    )]
    OtherFileSystem { path: PathBuf },
    #[error(
        "{} is not on a btrfs: mount the one that belongs there, or give the storage type = \"directory\"",
        .path.display()
    )]
    NotBtrfs { path: PathBuf },
    #[error(
        "{} is not a subvolume: move it away, and the next run makes one and transfers everything anew",
        .path.display()
    )]
    NotASubvolume { path: PathBuf },
    #[error("something is mounted at {}, which would be in no snapshot: unmount it", .path.display())]
    MountPoint { path: PathBuf },
    #[error(
        "{} is a subvolume or a file system of its own{}: a snapshot would have an empty directory in its place; \
         remove it there (btrfs subvolume delete)",
        .path.display(), and_more(*.others)
    )]
    Inside { path: PathBuf, others: usize },
    #[error("{} is not there yet: the first run makes it", .path.display())]
    NotYet { path: PathBuf },
    #[error("{} is there already: choose another name", .path.display())]
    Taken { path: PathBuf },
    #[error(
        "{} is a mount point, which keeps its name: write dataset = \"{name}\" into the drop-in first",
        .path.display()
    )]
    Mounted { path: PathBuf, name: DatasetName },
    /// As a file system makes itself that found an error.
    #[error("the file system of {} is mounted read-only: see in `dmesg` why, and mount it writable again", .path.display())]
    ReadOnly { path: PathBuf },
    #[error("{} exists already: one snapshot of a name, and a name has one minute", .path.display())]
    Exists { path: PathBuf },
    #[error("{} was replaced while it was being written: keep others out of the dataset", .path.display())]
    Replaced { path: PathBuf },
    #[error("{} is the newest snapshot, which is never destroyed: nothing was destroyed", .path.display())]
    Newest { path: PathBuf },
    #[error("{} was filled by another user (uid {owner}) than the one who goes on with it (uid {writer})", .path.display())]
    OtherWriter { path: PathBuf, owner: u32, writer: u32 },
    #[error("stopped while making the workspace ready")]
    Stopped,
    #[error(transparent)]
    Zfs(super::zfs::Error),
    #[error("failed to remove {failures} names below {}, the first of them {}", .path.display(), .first.display())]
    NotRemoved { path: PathBuf, failures: u64, first: PathBuf, source: io::Error },
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("{command} {ending}: {said}")]
    Command { command: String, ending: Ending, said: String },
    #[error("failed to {what} {}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

impl Error {
    /// Whether it is we who may not look, and nothing may be wrong.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::Zfs(error) => error.is_denied(),
            _ => false,
        }
    }

    /// Whether it would befall whatever is tried next as well.
    pub fn is_lasting(&self) -> bool {
        if let Self::Zfs(error) = self { error.is_lasting() } else { true }
    }

    /// For `map_err`: what was tried, and on what.
    pub(super) fn io<E: Into<io::Error>>(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: source.into() }
    }
}

impl From<super::zfs::Error> for Error {
    fn from(error: super::zfs::Error) -> Self {
        if error.is_stop() { Self::Stopped } else { Self::Zfs(error) }
    }
}

fn and_more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" (and so are {others} more in there)") }
}
