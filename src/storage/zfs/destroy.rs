//! Destroying snapshots: all that can be in one call, and nobody's mistake costs the others.

use super::command::{check_pool, zfs};
use super::error::Error;
use super::open::files_of;
use super::{StorageError, Zfs, list, listing};
use crate::fileset::name::DatasetName;
use crate::fileset::reason::chain;
use crate::fileset::snapshot::Automatic;
use crate::storage::{Destroyed, SnapshotName};
use std::collections::BTreeSet;

/// How many snapshots one call may name: far below the 128 KiB that one argument may have.
const AT_ONCE: usize = 2000;

impl Zfs {
    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, StorageError> {
        let filesystem = self.parent.child(dataset);
        check_pool(&filesystem)?;
        let text = match list("name,userrefs,clones", &filesystem) {
            Err(error) if error.is_missing() => return Ok(Destroyed::nothing_of(snapshots)),
            text => text?,
        };
        let there = listing::automatic(&text);
        let doomed: BTreeSet<Automatic> = snapshots.iter().copied().collect();
        // Every plan keeps it. Whatever went wrong that one does not: here it ends.
        if let Some(newest) = there.last().filter(|newest| doomed.contains(newest)) {
            let path = files_of(&self.path.join(dataset), &SnapshotName::Automatic(*newest));
            return Err(StorageError::Newest { path });
        }
        let mut in_use = listing::in_use(&text);
        let mut result = Destroyed::default();
        let mut free = Vec::new();
        for name in doomed {
            match in_use.remove(&name) {
                Some(why) => result.skipped.push((name, why)),
                None if !there.contains(&name) => result.skipped.push((name, "it is not there".into())),
                None => free.push(name),
            }
        }
        let mut destroy = |batch: &[Automatic]| destroy(&filesystem, batch);
        for batch in free.chunks(AT_ONCE) {
            as_one(batch, &mut destroy, &mut result);
        }
        Ok(result)
    }
}

impl Zfs {
    /// Those that somebody holds or has cloned.
    pub fn in_use(&self, dataset: &DatasetName) -> Result<BTreeSet<Automatic>, StorageError> {
        check_pool(self.parent.as_str())?;
        let text = list("name,userrefs,clones", &self.parent.child(dataset))?;
        Ok(listing::in_use(&text).into_keys().collect())
    }
}

/// Destroys these snapshots, all of them or none: one that came into use since it was looked at holds up all the others.
fn destroy(filesystem: &str, snapshots: &[Automatic]) -> Result<(), Error> {
    let names: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
    zfs(&["destroy", &format!("{filesystem}@{}", names.join(","))]).map(drop)
}

/// In one call if that goes well; if not, each half for itself, down to the one that cannot be destroyed.
fn as_one(
    batch: &[Automatic],
    destroy: &mut dyn FnMut(&[Automatic]) -> Result<(), Error>,
    result: &mut Destroyed,
) {
    match (destroy(batch), batch) {
        (Ok(()), _) => result.destroyed.extend(batch),
        (Err(error), &[name]) => result.skipped.push((name, why(&error))),
        // What is true of the pool is true of all of them: no need to ask again and again.
        (Err(error), _) if !matches!(error, Error::Failed { .. }) => {
            result.skipped.extend(batch.iter().map(|&name| (name, why(&error))));
        }
        (Err(_), _) => {
            let (one, other) = batch.split_at(batch.len() / 2);
            as_one(one, destroy, result);
            as_one(other, destroy, result);
        }
    }
}

fn why(error: &Error) -> String {
    match error {
        // "it's being held" of 2.3 is "dataset is busy" in 2.1, which also says so of one that somebody has open.
        Error::Failed { said, .. } if said.contains("busy") || said.contains("being held") => {
            "it is held, or somebody has files in it open".into()
        }
        error => chain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process::Ending;

    fn names(count: usize) -> Vec<Automatic> {
        let name = |n: usize| format!("planb-20260102T{:02}{:02}Z", n / 60, n % 60).parse().expect("a name");
        (0..count).map(name).collect()
    }

    fn refusal() -> Error {
        let said = "cannot destroy snapshot t/w@x: dataset is busy".to_owned();
        Error::Failed { command: "zfs destroy".into(), ending: Ending::Exited(1), said }
    }

    #[test]
    fn one_call_is_enough_if_nothing_is_in_the_way() {
        let (all, mut result, mut calls) = (names(200), Destroyed::default(), 0);
        let mut destroy = |_: &[Automatic]| {
            calls += 1;
            Ok(())
        };
        as_one(&all, &mut destroy, &mut result);
        assert_eq!((calls, result.destroyed), (1, all));
    }

    #[test]
    fn one_that_is_busy_costs_a_few_calls_and_nobody_else() {
        let (all, mut result, mut calls) = (names(200), Destroyed::default(), 0);
        let busy = all[77];
        let mut destroy = |batch: &[Automatic]| {
            calls += 1;
            if batch.contains(&busy) { Err(refusal()) } else { Ok(()) }
        };
        as_one(&all, &mut destroy, &mut result);
        assert_eq!(result.destroyed.len(), 199);
        assert_eq!(result.skipped, [(busy, "it is held, or somebody has files in it open".to_owned())]);
        assert!(calls <= 20, "{calls}");
    }

    #[test]
    fn a_pool_that_fails_is_not_asked_for_each() {
        let (all, mut result, mut calls) = (names(200), Destroyed::default(), 0);
        let mut destroy = |_: &[Automatic]| {
            calls += 1;
            Err(Error::PoolDown { pool: "tank".into(), health: "SUSPENDED".into() })
        };
        as_one(&all, &mut destroy, &mut result);
        assert_eq!((calls, result.skipped.len()), (1, 200));
    }
}
