//! Keys of datasets: zfs-load-key(8). A key is only ever fed through a pipe, whatever the dataset's `keylocation` is.

use super::Zfs;
use super::command::{check_pool, zfs_with_key};
use super::dataset::properties;
use super::error::Error;
use crate::fileset::name::DatasetName;
use crate::keys::{Key, KeyFormat};
use crate::storage::key::Fit;

/// The encryption of a dataset as it is now.
struct State {
    format: KeyFormat,
    is_loaded: bool,
}

impl Zfs {
    pub fn key_fits(&self, dataset: &DatasetName, key: &Key) -> Result<Fit, Error> {
        match check_pool(self.parent.as_str()) {
            Err(error @ (Error::NoPool { .. } | Error::PoolDown { .. })) => {
                return Ok(Fit::OutOfReach(error.to_string()));
            }
            other => other?,
        }
        let name = self.parent.child(dataset);
        let Some(state) = state(&name)? else { return Ok(Fit::NoDataset) };
        // Without loading it, and also where it is loaded.
        match zfs_with_key(&["load-key", "-n", "-L", "prompt", &name], key.written(state.format)) {
            Ok(_) => Ok(Fit::Fits),
            Err(Error::Failed { said, .. }) if said.contains("Incorrect key") => Ok(Fit::Wrong),
            Err(error) => Err(error),
        }
    }

    pub fn key_format(&self, dataset: &DatasetName) -> Result<Option<KeyFormat>, Error> {
        check_pool(self.parent.as_str())?;
        Ok(state(&self.parent.child(dataset))?.map(|state| state.format))
    }

    pub fn change_key(&self, dataset: &DatasetName, old: &Key, new: &Key) -> Result<(), Error> {
        let name = self.parent.child(dataset);
        let state = state(&name)?
            .ok_or_else(|| Error::NotUnderstood { said: format!("{name} was there and is gone") })?;
        if !state.is_loaded {
            // Noted before, for whoever closes it if we do not come to do so.
            let mut locked = self.marks(dataset).lock()?;
            locked.state.loaded = true;
            locked.keep()?;
            drop(locked);
            zfs_with_key(&["load-key", "-L", "prompt", &name], old.written(state.format))?;
        }
        let change = ["change-key", "-o", "keyformat=raw", "-o", "keylocation=prompt", &name];
        zfs_with_key(&change, new.raw()).map(drop)
    }
}

/// `None` where there is no such dataset.
fn state(filesystem: &str) -> Result<Option<State>, Error> {
    let Some(properties) = properties(filesystem)? else { return Ok(None) };
    let filesystem = filesystem.to_owned();
    match properties.value("encryptionroot")? {
        "-" => return Err(Error::Plain { filesystem }),
        root if root != filesystem => {
            return Err(Error::InheritedKey { root: root.to_owned(), filesystem });
        }
        _ => {}
    }
    let format = match properties.value("keyformat")? {
        "raw" => KeyFormat::Raw,
        "hex" => KeyFormat::Hex,
        format => return Err(Error::KeyFormat { format: format.to_owned(), filesystem }),
    };
    Ok(Some(State { format, is_loaded: properties.value("keystatus")? == "available" }))
}
