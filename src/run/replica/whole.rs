//! Which state of another backup host's datasets is a backup: one that a run there came to its end with.
//!
//! Between two runs a dataset is as its newest snapshot, and may be snapshotted by whoever likes. During one, and after one
//! that failed, it is half of this and half of that, and only its snapshots are backups. What is received there from a third
//! host is nobody's to snapshot: that host's next stream builds on its end.

use crate::storage::SnapshotName;
use crate::transport::zfs::wire::{Listing, Snapshot, Source};

/// The state of a dataset to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As it was when it was snapshotted for this run: that snapshot.
    Now(Snapshot),
    /// As its last good run left it: that run's snapshot.
    Then(Snapshot),
    /// No run has come to its end yet.
    Never,
}

/// What is a backup of a dataset of that listing, which has the snapshot of this run, if there is one.
pub fn state(listing: &Listing, source: &Source, now: Option<&Snapshot>) -> State {
    // What a dataset below another received is a backup once that has a snapshot, too.
    let top = listing.datasets.iter().find(|top| is_within(source, top)).unwrap_or(source);
    let Some(sealed) = top.snapshots.iter().rev().find(|there| is_backup(there)) else { return State::Never };
    let good = |there: &Snapshot| is_backup(there) && there.createtxg <= sealed.createtxg;
    if let Some(now) = now
        && goes_back_to(source, now, good)
    {
        return State::Now(now.clone());
    }
    source.snapshots.iter().rev().find(|there| good(there)).cloned().map_or(State::Never, State::Then)
}

fn is_within(one: &Source, other: &Source) -> bool {
    one.dataset.as_str().strip_prefix(other.dataset.as_str()).is_some_and(|below| below.starts_with('/'))
}

/// Whether a run there made it. Ours are called otherwise, by the second.
fn is_backup(snapshot: &Snapshot) -> bool {
    SnapshotName::parse(snapshot.name.as_str()).is_some()
}

/// Whether nothing was written since a snapshot that is good. What is written is counted from each to the next.
fn goes_back_to(source: &Source, now: &Snapshot, good: impl Fn(&Snapshot) -> bool) -> bool {
    for there in source.snapshots.iter().rev().skip_while(|there| there.guid != now.guid) {
        if good(there) {
            return true;
        }
        if there.written > 0 {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "planb-20260102T030405Z-0000000000000007";

    fn source(dataset: &str, snapshots: &[(&str, u64, u64)]) -> Source {
        let snapshot = |&(name, at, written): &(&str, u64, u64)| Snapshot {
            written,
            is_ours: name == OURS,
            ..Snapshot::of(dataset, name, at)
        };
        Source { snapshots: snapshots.iter().map(snapshot).collect(), ..Source::of(dataset, dataset) }
    }

    /// The snapshot of one of these datasets that is a backup, and whether it is this run's.
    fn backup(datasets: &[Source], of: usize) -> Option<(String, bool)> {
        let listing = Listing { datasets: datasets.to_vec(), missing: Vec::new() };
        let source = &datasets[of];
        let now = source.snapshots.iter().find(|there| there.is_ours);
        match state(&listing, source, now) {
            State::Now(now) => Some((now.name.to_string(), true)),
            State::Then(then) => Some((then.name.to_string(), false)),
            State::Never => None,
        }
    }

    #[test]
    fn what_is_as_its_last_run_left_it_is_a_backup_and_what_a_run_is_at_is_none() {
        let (one, two) = ("planb-20260101T0000Z", "before-20260102T0000Z");
        let of = |snapshots: &[(&str, u64, u64)]| backup(&[source("t/a", snapshots)], 0);
        let now = Some((OURS.to_owned(), true));
        assert_eq!(of(&[(one, 1, 9), (OURS, 2, 0)]), now);
        assert_eq!(of(&[(one, 1, 9), ("planb-20260102T000000Z-0000000000000008", 2, 0), (OURS, 3, 0)]), now);
        assert_eq!(of(&[(one, 1, 9), (two, 2, 5), (OURS, 3, 7)]), Some((two.to_owned(), false)));
        // Somebody's snapshot amid a run.
        assert_eq!(of(&[(one, 1, 9), ("daily", 2, 5), (OURS, 3, 0)]), Some((one.to_owned(), false)));
        // A run came to its end since.
        assert_eq!(of(&[(one, 1, 9), (OURS, 2, 0), (two, 3, 4)]), now);
        assert_eq!(of(&[(OURS, 1, 0)]), None);
        assert_eq!(of(&[("daily", 1, 3), (OURS, 2, 0)]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn what_is_below_is_a_backup_once_the_whole_is() {
        let (one, two) = ("planb-20260101T0000Z", "planb-20260102T0000Z");
        let all = [
            source("t/a", &[(one, 3, 0)]),
            source("t/a/x", &[(one, 1, 9), (two, 4, 9)]),
            source("t/a/gone", &[("planb-20251201T0000Z", 1, 9)]),
            source("t/a/new", &[(two, 5, 9)]),
            source("t/ab", &[(two, 6, 9)]),
        ];
        let of = |of| backup(&all, of).map(|(name, _)| name);
        assert_eq!(of(0).as_deref(), Some(one));
        assert_eq!(of(1).as_deref(), Some(one));
        assert_eq!(of(2).as_deref(), Some("planb-20251201T0000Z"));
        assert_eq!(of(3), None);
        assert_eq!(of(4).as_deref(), Some(two));
    }
}
