//! A recovery sheet: the copy of a key that is not on this machine. A key that is not the dataset's is not put on one.

use super::{Charge, Error, Tried};
use crate::host::secret::Secret;
use crate::keys::exported::{self, Exported};
use crate::keys::sheet::Sheet;
use crate::keys::{Fingerprint, KeyFormat};
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
    let (key, untried) = match charge.try_all()? {
        Tried::Fits(candidate) => (candidate.key, None),
        Tried::NoDataset(Some(candidate)) => (candidate.key, Some("its dataset is not there yet".to_owned())),
        Tried::NoDataset(None) => {
            let name = &charge.fileset.name;
            return Err(Error::Refused(format!(
                "its key is made together with its dataset: planb run {name}"
            )));
        }
        // Without the pool nobody can tell which of two keys the dataset has.
        Tried::OutOfReach { why, .. } if charge.keys.present()?.len() > 1 => {
            return Err(Error::Refused(format!(
                "a rotation is not over, and which key it has is unknown: {why}"
            )));
        }
        Tried::OutOfReach { first, why } => (first.key, Some(why)),
        Tried::NoneFits => return Err(charge.none_fits()),
        Tried::NoKey => return Err(charge.no_key()),
    };
    let format = match untried {
        None => charge.storage.key_format(&charge.fileset.dataset)?.unwrap_or(KeyFormat::Raw),
        Some(_) => KeyFormat::Raw,
    };
    let (fileset, dataset) = (&charge.fileset.name, charge.filesystem());
    let text = Sheet { fileset, dataset: &dataset, format, host, at }.text(&key);
    Ok(Export { text, fingerprint: key.fingerprint(), untried })
}

/// Remembers that a key was exported: call it when that is true.
pub fn remember(charge: &Charge<'_>, fingerprint: &Fingerprint, at: OffsetDateTime) -> io::Result<()> {
    let (fileset, fingerprint) = (charge.fileset.name.clone(), fingerprint.clone());
    exported::write(charge.paths, &Exported { fileset, at, fingerprint })
}
