//! Which datasets are at the source what they are here.

use super::plan::{Plan, Spurned, Wanted};
use super::{Story, unexpected};
use crate::fileset::replica::Dataset;
use crate::run::carry::talk::{Broken, Talk};
use crate::storage::{Below, Frozen};
use crate::transport::zfs::wire::{Answer, Base, Order, Span};
use std::collections::BTreeSet;

impl Story<'_> {
    /// Asks the source about those that seem to be so, now that it has them frozen.
    pub fn compare(&self, talk: &mut Talk<'_>, wanted: &mut [Wanted<'_>], here: Below) -> Result<(), Broken> {
        let Plan { likely, .. } = self.plan(wanted, here, &Spurned::default());
        let span = |wanted: &Wanted<'_>| {
            let likely = likely.iter().find(|likely| likely.child == wanted.source.child)?;
            let (dataset, to) = (wanted.source.dataset.clone(), wanted.target.name.clone());
            Some((likely.guid, Span { dataset, from: likely.from.clone(), to }))
        };
        let asked: Vec<Option<(u64, Span)>> = wanted.iter().map(span).collect();
        let spans: Vec<Span> = asked.iter().flatten().map(|(_, span)| span.clone()).collect();
        if spans.is_empty() {
            return Ok(());
        }
        let same: BTreeSet<Dataset> = match talk.ask(&Order::Compare { spans })? {
            Answer::Same(same) => same.into_iter().collect(),
            answer => return Err(unexpected(answer)),
        };
        for (wanted, asked) in wanted.iter_mut().zip(asked) {
            wanted.same = asked.filter(|(_, span)| same.contains(&span.dataset)).map(|(guid, _)| guid);
        }
        Ok(())
    }
}

/// What a snapshot here is at the source, for the next transfer to build on.
pub fn base(wanted: &Wanted<'_>, kept: &Frozen) -> Option<Base> {
    let mut there = wanted.source.snapshots.iter().chain([wanted.target]);
    let there = there.find(|there| there.guid == kept.guid)?;
    Some(Base { dataset: wanted.source.dataset.clone(), snapshot: there.name.clone(), guid: there.guid })
}
