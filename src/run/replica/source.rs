//! What there is at the source, frozen at one moment. Its word is taken for what it has, and for nothing that is ours to say.

use super::{Frozen, Story, Target, unexpected};
use crate::fileset::record::Outcome;
use crate::fileset::replica::{Child, Dataset, Mark};
use crate::run::attempt::Cut;
use crate::run::carry::talk::{Broken, Talk};
use crate::storage::{Below, Copied};
use crate::transport::zfs::selection::Selection;
use crate::transport::zfs::settings::Datasets;
use crate::transport::zfs::wire::{Answer, Base, Listing, Order, Snapshot, Source, Why};
use std::collections::BTreeSet;

/// How many more snapshots of ours than it should keep the source may have before a run begins with letting go of some: as
/// runs leave them that come to nothing.
const LEFT_OVER: usize = 2;

/// How often a name is tried that is taken: it is of a second.
const TRIES: usize = 3;

impl Story<'_> {
    /// Has the source say what there is, and what of it is to come.
    pub fn freeze(&self, talk: &mut Talk<'_>) -> Result<Frozen, Broken> {
        match &self.settings.datasets {
            Datasets::Named(selection) => self.at_one_moment(talk, selection),
            Datasets::Tagged { tag, exclude } => self.as_backed_up(talk, tag, exclude),
        }
    }

    /// Has all datasets snapshotted at one moment.
    fn at_one_moment(&self, talk: &mut Talk<'_>, selection: &Selection) -> Result<Frozen, Broken> {
        let mut listing = list(talk, selection)?;
        if listing.datasets.is_empty() {
            if listing.missing.is_empty() {
                return Err(Cut::new(Outcome::Failure, "there is nothing at the source to back up").into());
            }
            return Err(self.missing(&listing.missing).into());
        }
        self.tidied(talk, selection, &mut listing)?;
        let datasets: Vec<Dataset> = listing.datasets.iter().map(|source| source.dataset.clone()).collect();
        let (mark, targets) = self.snapshot(talk, &listing, &datasets)?;
        let target = |(source, snapshot)| Target { source, snapshot, rests: false };
        let targets = listing.datasets.into_iter().zip(targets).map(target).collect();
        Ok(Frozen { mark, targets, missing: listing.missing, concerns: Vec::new() })
    }

    /// Lets the source go of snapshots first where there are too many of ours.
    pub(super) fn tidied(
        &self,
        talk: &mut Talk<'_>,
        selection: &Selection,
        listing: &mut Listing,
    ) -> Result<(), Broken> {
        let most = usize::from(self.settings.source_keep) + LEFT_OVER;
        let has_too_many =
            |source: &Source| source.snapshots.iter().filter(|there| there.is_ours).count() > most;
        if listing.datasets.iter().any(has_too_many) {
            self.tidy(talk, listing)?;
            *listing = list(talk, selection)?;
        }
        Ok(())
    }

    /// Snapshots these datasets at one moment: what the snapshots are called, and they in that order.
    pub(super) fn snapshot(
        &self,
        talk: &mut Talk<'_>,
        listing: &Listing,
        datasets: &[Dataset],
    ) -> Result<(Mark, Vec<Snapshot>), Broken> {
        for again in 0..TRIES {
            let name = self.replica.copy().snapshot(self.s.host.clock.now());
            if datasets.is_empty() {
                return Ok((name, Vec::new()));
            }
            let order = Order::Snapshot { name: name.clone(), datasets: datasets.to_vec() };
            match talk.ask(&order)? {
                Answer::Snapshots(targets) => {
                    let as_asked = |(target, dataset): (&Snapshot, &Dataset)| {
                        target.dataset == *dataset && target.name == name
                    };
                    if targets.len() != datasets.len() || !targets.iter().zip(datasets).all(as_asked) {
                        let reason = "the source's snapshots are not those that were asked for";
                        return Err(Cut::new(Outcome::Failure, reason).into());
                    }
                    return Ok((name, targets));
                }
                Answer::Cannot { why: Why::Taken, .. } => talk.pause()?,
                // What earlier runs left may be what takes the room.
                Answer::Cannot { why: Why::NoRoom, .. } if again == 0 => self.tidy(talk, listing)?,
                answer => return Err(unexpected(answer)),
            }
        }
        Err(Cut::new(Outcome::Failure, "every name for a snapshot is taken at the source").into())
    }

    /// Lets the source go of what unfinished runs left, and has it guard what is here.
    fn tidy(&self, talk: &mut Talk<'_>, listing: &Listing) -> Result<(), Broken> {
        let below = self.replica.below()?;
        let mark = self.replica.copy().snapshot(self.s.host.clock.now());
        let bases: Vec<Base> =
            listing.datasets.iter().filter_map(|source| base_here(&below, source, &mark)).collect();
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

/// Has the source say what it has of these.
pub fn list(talk: &mut Talk<'_>, selection: &Selection) -> Result<Listing, Broken> {
    let listing = match talk.ask(&Order::List)? {
        Answer::Listed(listing) => listing,
        answer => return Err(unexpected(answer)),
    };
    // Which dataset goes where is ours to say.
    let mut children: BTreeSet<&Child> = BTreeSet::new();
    for source in &listing.datasets {
        let ours = selection.child(&source.dataset);
        if ours.as_ref() != Some(&source.child) || !children.insert(&source.child) {
            let reason = format!("the source lists {}, which was not asked for", source.dataset);
            return Err(Cut::new(Outcome::Failure, reason).into());
        }
    }
    Ok(listing)
}

/// What is here of the source's dataset by that name.
pub fn at<'b>(below: &'b Below, child: &Child) -> Option<&'b Copied> {
    below.children.iter().find(|copied| copied.child == *child)
}

/// What the next stream of a dataset builds on, as far as that is known of what is here. `mark`: what its bookmark would be
/// called.
pub fn base_here(below: &Below, source: &Source, mark: &Mark) -> Option<Base> {
    let guid = at(below, &source.child)?.snapshots.last()?.guid;
    let there = source.snapshots.iter().find(|there| there.guid == guid);
    let marked = source.bookmarks.iter().any(|bookmark| bookmark.guid == guid && bookmark.is_ours);
    let (snapshot, bookmark) = match there {
        Some(there) if there.is_ours => (&there.name, &there.name),
        Some(there) => (&there.name, mark),
        None if marked => (mark, mark),
        None => return None,
    };
    let (dataset, snapshot, bookmark) = (source.dataset.clone(), snapshot.clone(), bookmark.clone());
    Some(Base { dataset, snapshot, guid, bookmark })
}
