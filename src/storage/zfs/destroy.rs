//! Destroying snapshots: all that can be in one call, and nobody's mistake costs the others.
//!
//! A container's go together with what its datasets have by the same name. What the next streams build on, which is held,
//! stays there also where the fileset's has gone, and goes when it is let go: that much zfs does by itself (`-d`). The newest
//! of a dataset stays for good.

use super::command::{check_pool, zfs};
use super::error::Error;
use super::listing::{self, Use};
use super::open::files_of;
use super::replica::{HOLD, tags};
use super::{StorageError, Zfs, list};
use crate::fileset::name::DatasetName;
use crate::fileset::reason::chain;
use crate::fileset::snapshot::Automatic;
use crate::storage::{Destroyed, SnapshotName};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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
        let (own, below): (Vec<Use<'_>>, Vec<Use<'_>>) =
            listing::uses(&text).partition(|one| one.filesystem == filesystem);
        let doomed: BTreeSet<Automatic> = snapshots.iter().copied().collect();
        // Every plan keeps it. Whatever went wrong that one does not: here it ends.
        let newest = own.iter().map(|one| one.name).max();
        if let Some(newest) = newest.filter(|newest| doomed.contains(newest)) {
            let path = files_of(&self.path.join(dataset), &SnapshotName::Automatic(newest));
            return Err(StorageError::Newest { path });
        }
        let below = Below::of(&filesystem, below, &doomed)?;
        let mut result = Destroyed::default();
        let (mut free, mut mixed) = (Vec::new(), Vec::new());
        for name in doomed {
            let there = own.iter().find(|one| one.name == name);
            match there.map(|own| own.why().or_else(|| below.why(name))) {
                Some(Some(why)) => result.skipped.push((name, why)),
                None => result.skipped.push((name, "it is not there".into())),
                Some(None) if below.stays_somewhere(name) => mixed.push(name),
                Some(None) => free.push(name),
            }
        }
        let mut all = |batch: &[Automatic]| destroy(below.recursive(), &filesystem, batch);
        for batch in free.chunks(AT_ONCE) {
            as_one(batch, &mut all, &mut result);
        }
        // The fileset's own first: what of it is left then is no snapshot of the fileset any more.
        let mut each = |batch: &[Automatic]| {
            destroy(&[], &filesystem, batch)?;
            below.destroy(batch);
            Ok(())
        };
        for batch in mixed.chunks(AT_ONCE) {
            as_one(batch, &mut each, &mut result);
        }
        Ok(result)
    }

    /// Those that somebody else holds or has cloned.
    pub fn in_use(&self, dataset: &DatasetName) -> Result<BTreeSet<Automatic>, StorageError> {
        let filesystem = self.parent.child(dataset);
        check_pool(&filesystem)?;
        let text = list("name,userrefs,clones", &filesystem)?;
        let (own, below): (Vec<Use<'_>>, Vec<Use<'_>>) =
            listing::uses(&text).partition(|one| one.filesystem == filesystem);
        let names: BTreeSet<Automatic> = own.iter().map(|one| one.name).collect();
        let below = Below::of(&filesystem, below, &names)?;
        let used = own.iter().filter(|one| !one.is_free() || below.why(one.name).is_some());
        Ok(used.map(|one| one.name).collect())
    }
}

/// Snapshots of what is below a container.
struct Below<'t> {
    all: Vec<Use<'t>>,
    /// Those that stay when the fileset's goes: each the last that there is of a dataset.
    stay: HashSet<Use<'t>>,
    /// In use by others.
    foreign: Vec<Use<'t>>,
}

impl<'t> Below<'t> {
    fn of(container: &str, all: Vec<Use<'t>>, doomed: &BTreeSet<Automatic>) -> Result<Self, Error> {
        let (mut stay, mut foreign) = (HashSet::new(), Vec::new());
        let mut newest: HashMap<&str, Automatic> = HashMap::new();
        for one in &all {
            let newest = newest.entry(one.filesystem).or_insert(one.name);
            *newest = one.name.max(*newest);
        }
        let concerned = || all.iter().filter(|one| doomed.contains(&one.name));
        let held: Vec<String> = concerned().filter(|one| one.holds > 0).map(full).collect();
        let tags = if held.is_empty() { HashMap::new() } else { tags(&held)? };
        let within = format!("{container}/");
        for one in concerned() {
            let by_us = |tags: &Vec<String>| tags.iter().all(|tag| tag == HOLD);
            let is_ours = one.clones().all(|clone| clone.starts_with(&within))
                && (one.holds == 0 || tags.get(&full(one)).is_some_and(by_us));
            if !is_ours {
                foreign.push(*one);
            } else if newest.get(one.filesystem) == Some(&one.name) {
                stay.insert(*one);
            }
        }
        Ok(Self { all, stay, foreign })
    }

    fn why(&self, name: Automatic) -> Option<String> {
        let one = self.foreign.iter().find(|one| one.name == name)?;
        Some(format!("{}: {}", one.filesystem, one.why()?))
    }

    fn stays_somewhere(&self, name: Automatic) -> bool {
        self.stay.iter().any(|one| one.name == name)
    }

    /// What of them is held by us, or what others here came from, goes as soon as that is over.
    fn recursive(&self) -> &'static [&'static str] {
        if self.all.is_empty() { &[] } else { &["-d", "-r"] }
    }

    /// A call for each dataset. What goes wrong costs room, and nobody builds on it.
    fn destroy(&self, names: &[Automatic]) {
        let mut of: BTreeMap<&str, Vec<Automatic>> = BTreeMap::new();
        for one in self.all.iter().filter(|one| names.contains(&one.name) && !self.stay.contains(*one)) {
            of.entry(one.filesystem).or_default().push(one.name);
        }
        for (filesystem, names) in of {
            if let Err(error) = destroy(&["-d"], filesystem, &names) {
                log::warn!("what is left of destroyed snapshots in {filesystem} stays: {}", chain(&error));
            }
        }
    }
}

fn full(one: &Use<'_>) -> String {
    format!("{}@{}", one.filesystem, one.name)
}

/// Destroys these snapshots, all of them or none: one that came into use since it was looked at holds up all the others.
fn destroy(options: &[&str], filesystem: &str, snapshots: &[Automatic]) -> Result<(), Error> {
    let names: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
    let names = format!("{filesystem}@{}", names.join(","));
    zfs(&[&["destroy"], options, &[names.as_str()]].concat()).map(drop)
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

    #[test]
    fn what_the_next_stream_builds_on_and_what_came_from_it_stay() {
        let name = |day: u32| format!("planb-202601{day:02}T0000Z").parse::<Automatic>().expect("a name");
        let text: String = [
            ("t/w/a", 1, "-"),
            ("t/w/a", 2, "t/w/a.before-x"),
            ("t/w/a", 3, "-"),
            ("t/w/a", 4, "-"),
            ("t/w/gone", 1, "-"),
            ("t/w/gone", 2, "-"),
            ("t/w/b", 3, "t/w/c,t/restored"),
            ("t/w/b", 4, "-"),
        ]
        .map(|(of, day, clones)| format!("{of}@{}\t0\t{clones}\n", name(day)))
        .concat();
        let doomed = [1, 2, 3].map(name).into();
        let below = Below::of("t/w", listing::uses(&text).collect(), &doomed).expect("nothing is held");
        let stay: BTreeSet<String> = below.stay.iter().map(full).collect();
        assert_eq!(stay, ["t/w/a", "t/w/gone"].map(|of| format!("{of}@{}", name(2))).into());
        assert_eq!([1, 2, 3].map(|day| below.stays_somewhere(name(day))), [false, true, false]);
        assert_eq!((below.why(name(1)), below.why(name(2))), (None, None));
        assert_eq!(below.why(name(3)).as_deref(), Some("t/w/b: there are clones of it: t/w/c, t/restored"));
        assert_eq!(below.recursive(), ["-r"]);
    }
}
