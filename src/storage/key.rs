//! How keys and datasets go together: what rotating, importing and checking keys asks of a storage.

use super::{Error, Storage};
use crate::fileset::name::DatasetName;
use crate::keys::{Key, KeyFormat};

/// Whether a key is a dataset's.
#[derive(Debug, PartialEq, Eq)]
pub enum Fit {
    Fits,
    Wrong,
    /// There is no dataset for it to open.
    NoDataset,
    /// The pool is not there, or answers nothing: nobody can tell. In words.
    OutOfReach(String),
}

impl Storage {
    /// Tries a key on a dataset, without opening it.
    pub fn key_fits(&self, dataset: &DatasetName, key: &Key) -> Result<Fit, Error> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Ok(Fit::NoDataset),
            Self::Zfs(storage) => Ok(storage.key_fits(dataset, key)?),
        }
    }

    /// How the dataset wants its key to be written; `None` where there is no dataset.
    pub fn key_format(&self, dataset: &DatasetName) -> Result<Option<KeyFormat>, Error> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Ok(None),
            Self::Zfs(storage) => Ok(storage.key_format(dataset)?),
        }
    }

    /// Changes the key of a dataset from one to the other. When this returns without an error, it is so on the disks; with
    /// one, the dataset has either. The key is loaded for it: close the dataset afterwards.
    pub fn change_key(&self, dataset: &DatasetName, old: &Key, new: &Key) -> Result<(), Error> {
        match self {
            Self::Directory(_) | Self::Btrfs(_) => Ok(()),
            Self::Zfs(storage) => Ok(storage.change_key(dataset, old, new)?),
        }
    }
}
