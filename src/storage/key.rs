//! How keys and datasets go together: what rotating, importing and checking keys asks of a storage.

use super::Storage;
use crate::fileset::name::DatasetName;
use crate::host::process;
use crate::host::signals::Stop;
use crate::keys::Key;
use crate::keys::sheet::Format;

/// Whether a key is a dataset's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Fits,
    Wrong,
    /// There is no dataset yet for it to open.
    NoDataset,
}

/// Why a storage cannot tell, or change it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{filesystem} is not there: import its pool first")]
    NoParent { filesystem: String },
    #[error("{filesystem} is not encrypted")]
    NotEncrypted { filesystem: String },
    #[error("{filesystem} has no key of its own, but that of {root}")]
    Inherited { filesystem: String, root: String },
    #[error(
        "{filesystem} has a key of the format {format:?}, which is not planb's: zfs change-key -o keyformat=raw"
    )]
    Format { filesystem: String, format: String },
    #[error("{command} {ending}: {said}")]
    Failed { command: String, ending: process::Ending, said: String },
    #[error("stopped")]
    Stopped,
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("this storage does not encrypt")]
    Never,
}

impl Storage {
    /// Tries a key on a dataset, without opening it.
    pub fn key_fits(&self, dataset: &DatasetName, key: &Key, stop: &Stop) -> Result<Fit, KeyError> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Err(KeyError::Never),
            Self::Zfs(storage) => storage.key_fits(dataset, key, stop),
        }
    }

    /// Changes the key of a dataset from one to the other. When this returns without an error, it is so on the disks; with
    /// one, the dataset has either. The key is loaded for it, and has to be forgotten afterwards.
    pub fn change_key(
        &self,
        dataset: &DatasetName,
        old: &Key,
        new: &Key,
        stop: &Stop,
    ) -> Result<(), KeyError> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Err(KeyError::Never),
            Self::Zfs(storage) => storage.change_key(dataset, old, new, stop),
        }
    }

    /// Unloads the key of a dataset that nobody has open.
    pub fn forget_key(&self, dataset: &DatasetName) -> Result<(), KeyError> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Err(KeyError::Never),
            Self::Zfs(storage) => storage.forget_key(dataset),
        }
    }

    /// How the dataset wants its key to be written; `None` where there is no dataset yet.
    pub fn key_format(&self, dataset: &DatasetName, stop: &Stop) -> Result<Option<Format>, KeyError> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Err(KeyError::Never),
            Self::Zfs(storage) => storage.key_format(dataset, stop),
        }
    }
}
