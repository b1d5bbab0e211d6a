//! What can be wrong with keys, found before they are needed.

use super::{Charge, Error, Tried};
use crate::fileset::name::Name;
use crate::fileset::reason::chain;
use crate::keys::{self, Fingerprint, Slot, exported};
use std::collections::BTreeMap;
use std::fmt;

/// What there is to say of one key.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    Fits,
    /// It will be made together with the dataset.
    NotYet,
    /// Something is wrong, in words.
    Wrong(String),
    /// The same key as that of these filesets.
    Duplicate(Vec<Name>),
    /// Nothing is wrong, and somebody should know.
    Note(String),
}

impl Finding {
    pub const fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong(_) | Self::Duplicate(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits => f.write_str("fits its dataset"),
            Self::NotYet => f.write_str("none yet: it is made together with the dataset"),
            Self::Wrong(text) | Self::Note(text) => f.write_str(text),
            Self::Duplicate(others) => {
                let others: Vec<&str> = others.iter().map(Name::as_str).collect();
                write!(f, "the same key as that of {}: rotate one of them", others.join(", "))
            }
        }
    }
}

/// Looks at the keys of these filesets, each by itself and beside the others.
pub fn check<'c>(charges: &[Charge<'c>]) -> Vec<(&'c Name, Vec<Finding>)> {
    let mut looked: Vec<(&Name, Vec<Finding>, Option<Fingerprint>)> = charges
        .iter()
        .map(|charge| {
            let (findings, fingerprint) = look(charge);
            (&charge.fileset.name, findings, fingerprint)
        })
        .collect();
    let mut owners: BTreeMap<Fingerprint, Vec<Name>> = BTreeMap::new();
    for (name, _, fingerprint) in &looked {
        if let Some(fingerprint) = fingerprint {
            owners.entry(fingerprint.clone()).or_default().push((*name).clone());
        }
    }
    for (name, findings, fingerprint) in &mut looked {
        let same = fingerprint.as_ref().and_then(|fingerprint| owners.get(fingerprint));
        let others: Vec<Name> = same.into_iter().flatten().filter(|other| other != name).cloned().collect();
        if !others.is_empty() {
            findings.push(Finding::Duplicate(others));
        }
    }
    looked.into_iter().map(|(name, findings, _)| (name, findings)).collect()
}

fn look(charge: &Charge<'_>) -> (Vec<Finding>, Option<Fingerprint>) {
    let wrong = |error: Error| vec![Finding::Wrong(chain(&error))];
    // It may be another's all the same.
    let others = || charge.keys.candidates(charge.stop).ok().and_then(first).map(|one| one.key.fingerprint());
    let (mut findings, candidate) = match charge.try_all() {
        Ok(Tried::Fits(candidate)) => (vec![Finding::Fits], Some(candidate)),
        Ok(Tried::NoDataset(None)) => return (vec![Finding::NotYet], None),
        Ok(Tried::NoDataset(candidate)) => {
            (vec![Finding::Note("is there, and its dataset is not yet".into())], candidate)
        }
        Ok(Tried::OutOfReach { first, why }) => {
            (vec![Finding::Wrong(format!("nobody knows whether it fits: {why}"))], Some(first))
        }
        Ok(Tried::NoneFits) => return (wrong(charge.none_fits()), others()),
        Ok(Tried::NoKey) => return (wrong(charge.no_key()), None),
        Err(error) => return (wrong(error), others()),
    };
    let name = &charge.fileset.name;
    match candidate.as_ref().map(|candidate| candidate.slot) {
        Some(Slot::Previous) => findings.push(Finding::Wrong(format!(
            "only the key of before the last rotation fits: {}",
            charge.keys.place_of(Slot::Previous)
        ))),
        _ if charge.keys.present().is_ok_and(|present| present.contains(&Slot::Pending)) => {
            let text = format!("a rotation is not over: planb key rotate {name} goes on with it");
            findings.push(Finding::Note(text));
        }
        _ => {}
    }
    let fingerprint = candidate.map(|candidate| candidate.key.fingerprint());
    if let Some(fingerprint) = &fingerprint
        && charge.keys.are_kept_here()
        && exported::read(charge.paths, name).is_none_or(|exported| exported.fingerprint != *fingerprint)
    {
        findings.push(Finding::Note(format!("there is no copy of it elsewhere: planb key export {name}")));
    }
    (findings, fingerprint)
}

fn first(candidates: Vec<keys::Candidate>) -> Option<keys::Candidate> {
    candidates.into_iter().next()
}
