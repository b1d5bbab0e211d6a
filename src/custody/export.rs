//! A recovery sheet: the copy of a key that is not on this machine. A key that is not the dataset's is not put on one.

use super::{Charge, Error, Tried};
use crate::host::secret::Secret;
use crate::keys::exported::{self, Exported};
use crate::keys::sheet::{Format, Sheet};
use crate::keys::{Fingerprint, Key};
use crate::storage::key::KeyError;
use std::io;
use time::OffsetDateTime;

/// A sheet, not yet printed.
#[derive(Debug)]
pub struct Export {
    pub text: Secret,
    pub fingerprint: Fingerprint,
    /// Why it is not known whether the key opens the dataset.
    pub untried: Option<String>,
}

pub fn export(charge: &Charge<'_>, host: &str, at: OffsetDateTime) -> Result<Export, Error> {
    let (key, untried) = match charge.try_all() {
        Ok(Tried::Fits(candidate)) => (candidate.key, None),
        Ok(Tried::NoDataset(Some(candidate))) => {
            (candidate.key, Some("its dataset is not there yet".to_owned()))
        }
        Ok(Tried::NoDataset(None)) => {
            let name = &charge.fileset.name;
            return Err(Error::Refused(format!(
                "its key is made together with its dataset: planb run {name}"
            )));
        }
        Ok(Tried::NoneFits) => return Err(charge.none_fits()),
        Ok(Tried::NoKey) => return Err(charge.no_key()),
        Err(Error::Storage(error @ KeyError::NoParent { .. })) => {
            (only_key(charge)?, Some(error.to_string()))
        }
        Err(error) => return Err(error),
    };
    let format = if untried.is_some() {
        Format::Raw
    } else {
        charge.storage.key_format(&charge.fileset.dataset, charge.stop)?.unwrap_or(Format::Raw)
    };
    let (fileset, dataset) = (&charge.fileset.name, charge.filesystem());
    let text = Sheet { fileset, dataset: &dataset, format, host, at }.text(&key);
    Ok(Export { text, fingerprint: key.fingerprint(), untried })
}

/// Without its pool nobody can tell which of two keys a dataset has.
fn only_key(charge: &Charge<'_>) -> Result<Key, Error> {
    let mut candidates = charge.keys.candidates(charge.stop)?;
    match (candidates.pop(), candidates.is_empty()) {
        (Some(only), true) => Ok(only.key),
        (Some(_), false) => Err(Error::Refused(
            "a rotation of its key is not over, and without the pool it is not known which key it has".into(),
        )),
        (None, _) => Err(charge.no_key()),
    }
}

/// Remembers that a key was exported: call it when that is true.
pub fn remember(charge: &Charge<'_>, fingerprint: &Fingerprint, at: OffsetDateTime) -> io::Result<()> {
    let (fileset, fingerprint) = (charge.fileset.name.clone(), fingerprint.clone());
    exported::write(charge.paths, &Exported { fileset, at, fingerprint })
}
