//! What a stream can build on, or go on with: what both sides have.

use super::planner::Planner;
use super::{Base, Wanted};
use crate::storage::{Copied, SnapshotName};
use crate::transport::zfs::wire::{From, Snapshot};
use std::collections::BTreeMap;

impl Planner<'_> {
    /// The source's snapshot that half of is here, if it is still there and one that a run of ours asked for, and what it
    /// is called here. An earlier run's has a name as no other: it is no snapshot of the fileset.
    pub(super) fn resumable<'s>(
        &self,
        wanted: &Wanted<'s>,
        to: Option<u64>,
    ) -> Option<(&'s Snapshot, String)> {
        let (to, copy) = (to?, self.wish.copy);
        if wanted.target.guid == to {
            return Some((wanted.target, self.wish.name.to_string()));
        }
        let earlier = wanted.source.snapshots.iter().find(|there| there.guid == to)?;
        let name = if copy.names(&earlier.name) {
            earlier.name.clone()
        } else {
            copy.snapshot(SnapshotName::parse(earlier.name.as_str())?.time())
        };
        Some((earlier, name.to_string()))
    }

    /// The newest snapshot here that the source can build on: its place, and by what.
    pub(super) fn newest_common(&self, here: &Copied, wanted: &Wanted<'_>) -> Option<(usize, Base)> {
        let Wanted { source, target, .. } = *wanted;
        if here.kind != source.kind {
            return None;
        }
        // A snapshot rather than its bookmark: what it says goes for all of zfs.
        let bookmarks =
            source.bookmarks.iter().map(|b| (b.guid, b.createtxg, From::Bookmark(b.name.clone())));
        let snapshots =
            source.snapshots.iter().map(|s| (s.guid, s.createtxg, From::Snapshot(s.name.clone())));
        let there: BTreeMap<u64, (u64, From)> = bookmarks
            .chain(snapshots)
            .filter(|(_, createtxg, _)| *createtxg <= target.createtxg)
            .map(|(guid, createtxg, from)| (guid, (createtxg, from)))
            .chain([(target.guid, (target.createtxg, From::Snapshot(target.name.clone())))])
            .filter(|(guid, _)| !self.wish.spurned.bases.contains(&(source.child.clone(), *guid)))
            .collect();
        here.snapshots.iter().enumerate().rev().find_map(|(at, frozen)| {
            let (createtxg, from) = there.get(&frozen.guid)?.clone();
            Some((at, Base { guid: frozen.guid, createtxg, from }))
        })
    }
}
