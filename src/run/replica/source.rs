//! What there is at the source, frozen at one moment. Its word is taken for what it has, and for nothing that is ours to say.

use super::{Frozen, Story, unexpected};
use crate::fileset::record::Outcome;
use crate::fileset::replica::{Child, Dataset};
use crate::run::attempt::Cut;
use crate::run::carry::talk::{Broken, Talk};
use crate::transport::zfs::wire::{Answer, Base, Listing, Order, Snapshot, Why};
use std::collections::BTreeSet;

/// How many more snapshots of ours than it should keep the source may have before a run begins with letting go of some: as
/// runs leave them that come to nothing.
const LEFT_OVER: usize = 2;

/// How often a name is tried that is taken: it is of a second.
const TRIES: usize = 3;

impl Story<'_> {
    /// Has all datasets snapshotted at one moment.
    pub fn freeze(&self, talk: &mut Talk<'_>) -> Result<Frozen, Broken> {
        let mut listing = self.list(talk)?;
        if listing.datasets.is_empty() {
            if listing.missing.is_empty() {
                return Err(Cut::new(Outcome::Failure, "there is nothing at the source to back up").into());
            }
            return Err(self.missing(&listing.missing).into());
        }
        let keep = usize::from(self.settings.source_keep);
        let too_many = listing
            .datasets
            .iter()
            .any(|source| source.snapshots.iter().filter(|s| s.is_ours).count() > keep + LEFT_OVER);
        if too_many {
            self.tidy(talk, &listing)?;
            listing = self.list(talk)?;
        }
        let datasets: Vec<Dataset> = listing.datasets.iter().map(|source| source.dataset.clone()).collect();
        for again in 0..TRIES {
            let name = self.replica.copy().snapshot(self.s.host.clock.now());
            let order = Order::Snapshot { name: name.clone(), datasets: datasets.clone() };
            match talk.ask(&order)? {
                Answer::Snapshots(targets) => {
                    let as_asked = |(target, dataset): (&Snapshot, &Dataset)| {
                        target.dataset == *dataset && target.name == name
                    };
                    if targets.len() != datasets.len() || !targets.iter().zip(&datasets).all(as_asked) {
                        let reason = "the source's snapshots are not those that were asked for";
                        return Err(Cut::new(Outcome::Failure, reason).into());
                    }
                    return Ok((listing, targets));
                }
                Answer::Cannot { why: Why::Taken, .. } => talk.pause()?,
                // What earlier runs left may be what takes the room.
                Answer::Cannot { why: Why::NoRoom, .. } if again == 0 => self.tidy(talk, &listing)?,
                answer => return Err(unexpected(answer)),
            }
        }
        Err(Cut::new(Outcome::Failure, "every name for a snapshot is taken at the source").into())
    }

    fn list(&self, talk: &mut Talk<'_>) -> Result<Listing, Broken> {
        let listing = match talk.ask(&Order::List)? {
            Answer::Listed(listing) => listing,
            answer => return Err(unexpected(answer)),
        };
        // Which dataset goes where is ours to say.
        let mut children: BTreeSet<&Child> = BTreeSet::new();
        for source in &listing.datasets {
            let ours = self.settings.child(&source.dataset);
            if ours.as_ref() != Some(&source.child) || !children.insert(&source.child) {
                let reason = format!("the source lists {}, which was not asked for", source.dataset);
                return Err(Cut::new(Outcome::Failure, reason).into());
            }
        }
        Ok(listing)
    }

    /// Lets the source go of what unfinished runs left, and has it guard what is here.
    fn tidy(&self, talk: &mut Talk<'_>, listing: &Listing) -> Result<(), Broken> {
        let below = self.replica.below()?;
        let mut bases = Vec::new();
        for source in &listing.datasets {
            let Some(here) = below.children.iter().find(|copied| copied.child == source.child) else {
                continue;
            };
            let ours = |guid: u64| source.snapshots.iter().find(|there| there.is_ours && there.guid == guid);
            let base = here.newest().and_then(|newest| ours(newest.guid));
            bases.extend(base.map(|base| Base {
                dataset: source.dataset.clone(),
                snapshot: base.name.clone(),
                guid: base.guid,
            }));
        }
        if bases.is_empty() {
            return Ok(());
        }
        match talk.ask(&Order::Keep { bases })? {
            Answer::Kept { .. } => Ok(()),
            // Whether there is room will be seen.
            Answer::Cannot { reason, .. } => {
                log::warn!("{}: nothing is let go at the source: {reason}", self.s.fileset.name);
                Ok(())
            }
            answer => Err(unexpected(answer)),
        }
    }
}
