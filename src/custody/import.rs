//! A key that comes back: from its recovery sheet, or from wherever it was kept.

use super::export::remember;
use super::{Charge, Error};
use crate::keys::{self, Fingerprint, Key, Slot, sheet};
use crate::run::claim;
use crate::storage::key::Fit;
use time::OffsetDateTime;

/// What became of an import.
#[derive(Debug)]
pub struct Imported {
    pub fingerprint: Fingerprint,
    /// It was there already.
    pub known: bool,
    /// Why it is not known whether the key opens the dataset.
    pub untried: Option<String>,
}

/// `replace`: even if there is another key, as long as this is the right one.
pub fn import(
    charge: &Charge<'_>,
    text: &[u8],
    replace: bool,
    at: OffsetDateTime,
) -> Result<Imported, Error> {
    let (name, dataset) = (&charge.fileset.name, &charge.fileset.dataset);
    let sheet = sheet::read(text, name);
    let is_sheet = sheet.is_some();
    let key = match sheet {
        Some(read) => read.map_err(|why| Error::Refused(why.to_string()))?,
        None => Key::parse(text).map_err(|why| {
            Error::Refused(format!("what was read is no key: {why}, or the recovery sheet of {name}"))
        })?,
    };
    let fingerprint = key.fingerprint();
    let claim = claim::take(charge.paths, name)?;
    claim.tell(name);

    let untried = match charge.storage.key_fits(dataset, &key)? {
        Fit::Fits => None,
        Fit::Wrong => {
            let filesystem = charge.filesystem();
            return Err(Error::Refused(format!("this key ({fingerprint}) is not that of {filesystem}")));
        }
        Fit::NoDataset => Some("its dataset is not there yet".to_owned()),
        Fit::OutOfReach(why) => Some(why),
    };
    let known = match charge.keys.candidates(charge.stop) {
        Ok(there) if there.is_empty() => {
            charge.keys.adopt(&key, charge.stop)?;
            false
        }
        Ok(there) if there.iter().any(|one| one.slot == Slot::Current && one.key == key) => true,
        Err(keys::Error::Stopped) => return Err(keys::Error::Stopped.into()),
        // Another one, or one that cannot be read and is of no use to anybody.
        Ok(_) | Err(_) if replace && untried.is_none() => {
            charge.keys.replace(&key, charge.stop)?;
            false
        }
        Ok(_) | Err(_) if replace => {
            let why = untried.unwrap_or_default();
            return Err(Error::Refused(format!(
                "a key is only replaced by one that is known to be right: {why}"
            )));
        }
        Ok(_) => {
            let place = charge.keys.place();
            return Err(Error::Refused(format!(
                "{place} is there, and it is another key. If this one is right (planb key check {name}): \
                 planb key import --replace {name}"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    if is_sheet && let Err(error) = remember(charge, &fingerprint, at) {
        log::warn!("{name}: failed to remember that there is a recovery sheet: {error}");
    }
    Ok(Imported { fingerprint, known, untried })
}
