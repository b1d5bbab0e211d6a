//! A new key for a dataset. Its data are not written anew: ZFS wraps the key that encrypts them in the new one.
//!
//! new key, kept beside the old → `zfs change-key` → does the new one open it? → it is the key, the old one is the
//! previous. Whatever ends this and wherever, both keys are kept, and the next opening or rotation finds by trying which
//! of them the dataset has. The previous one goes when the one after it has opened the dataset.

use super::{Charge, Error, Tried};
use crate::fileset::reason::chain;
use crate::keys::{Fingerprint, Slot};
use crate::run::claim;
use crate::storage::key::Fit;

/// What a rotation came to.
#[derive(Debug)]
pub enum Rotated {
    /// The dataset has a new key.
    New(Fingerprint),
    /// It had one already, from a rotation that had not come to its end. Now it has.
    Finished(Fingerprint),
}

pub fn rotate(charge: &Charge<'_>) -> Result<Rotated, Error> {
    let claim = claim::take(charge.paths, &charge.fileset.name)?;
    claim.tell(&charge.fileset.name);
    let rotated = change(charge);
    // Also what a rotation that was killed has left loaded.
    if let Err(error) = charge.storage.close(&charge.fileset.dataset) {
        log::warn!("{}: its key stays loaded: {}", charge.fileset.name, chain(&error));
    }
    rotated
}

fn change(charge: &Charge<'_>) -> Result<Rotated, Error> {
    let dataset = &charge.fileset.dataset;
    let old = match charge.try_all()? {
        Tried::Fits(candidate) => candidate,
        Tried::NoneFits => return Err(charge.none_fits()),
        Tried::NoKey => return Err(charge.no_key()),
        Tried::OutOfReach { why, .. } => return Err(Error::Refused(why)),
        Tried::NoDataset(_) => {
            return Err(Error::Refused(format!(
                "{} is not there yet: nothing to rotate",
                charge.filesystem()
            )));
        }
    };
    if old.slot == Slot::Pending {
        charge.keys.settle(Slot::Pending)?;
        return Ok(Rotated::Finished(old.key.fingerprint()));
    }
    let new = charge.keys.pending(charge.stop)?;
    charge.storage.change_key(dataset, &old.key, &new)?;
    if charge.storage.key_fits(dataset, &new)? != Fit::Fits {
        return Err(Error::Refused(format!(
            "zfs says that it changed the key of {}, and the new one does not open it; both are kept: {} and {}",
            charge.filesystem(),
            charge.keys.place_of(old.slot),
            charge.keys.place_of(Slot::Pending)
        )));
    }
    charge.keys.settle(Slot::Pending)?;
    Ok(Rotated::New(new.fingerprint()))
}
