//! Plans carried out on a model of zfs, for sources to which anything happens and runs that end anywhere.
//!
//! The model knows what zfs refuses: a snapshot is received only on top of the one that it builds on, a name is taken once,
//! and nothing is at a place whose parent is not there.

use super::*;
use crate::fileset::replica::{Dataset, Kind};
use crate::fileset::snapshot::Automatic;
use crate::storage::{Frozen, Origin, Partial};
use crate::transport::zfs::wire::Bookmark;
use proptest::prelude::*;
use std::collections::BTreeMap;
use time::Duration;
use time::macros::datetime;

const COPY: CopyId = CopyId(7);

/// What can happen to a source between two runs, or to a run.
#[derive(Debug, Clone)]
enum Happening {
    /// A run of so many steps at most; of the last, if it is a receive, only half comes.
    Run {
        steps: usize,
        half: bool,
    },
    /// To the dataset of that number.
    Rollback(usize, usize),
    Remake(usize),
    Rename(usize, usize),
    Destroy(usize),
    /// Somebody lets go of the snapshots at the source, or of the bookmarks, too.
    Forget(usize, bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => Just(Happening::Run { steps: usize::MAX, half: false }),
        4 => (0_usize..6, any::<bool>()).prop_map(|(steps, half)| Happening::Run { steps, half }),
        2 => (0_usize..5, 0_usize..4).prop_map(|(of, back)| Happening::Rollback(of, back)),
        1 => (0_usize..5).prop_map(Happening::Remake),
        2 => (0_usize..5, 0_usize..5).prop_map(|(from, to)| Happening::Rename(from, to)),
        1 => (0_usize..5).prop_map(Happening::Destroy),
        1 => (0_usize..5, any::<bool>()).prop_map(|(of, bookmarks)| Happening::Forget(of, bookmarks)),
    ]
}

/// Where datasets can be.
const NAMES: [&str; 5] = ["a", "b", "a/x", "a/y", "b/x"];

#[derive(Debug, Default)]
struct World {
    source: BTreeMap<String, Source>,
    here: BTreeMap<String, Copied>,
    /// Of everything: GUIDs, transactions, seconds.
    counter: u64,
    /// All that was ever received.
    received: BTreeSet<u64>,
}

impl World {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn make(&mut self, name: &str) {
        let has_parent = name.rsplit_once('/').is_none_or(|(parent, _)| self.source.contains_key(parent));
        if has_parent && !self.source.contains_key(name) {
            let guid = self.next();
            let source = Source { guid, ..Source::of(&format!("r/{name}"), name) };
            self.source.insert(name.to_owned(), source);
        }
    }

    fn destroy(&mut self, name: &str) {
        self.source.retain(|of, _| of != name && !of.starts_with(&format!("{name}/")));
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Run { steps, half } => self.run(*steps, *half),
            Happening::Rollback(of, back) => {
                if let Some(source) = self.source.get_mut(NAMES[*of]) {
                    let left = source.snapshots.len().saturating_sub(*back);
                    source.snapshots.truncate(left);
                    let newest = source.snapshots.last().map_or(0, |newest| newest.createtxg);
                    // As zfs-rollback(8) -r does with bookmarks.
                    source.bookmarks.retain(|bookmark| bookmark.createtxg <= newest);
                }
            }
            Happening::Remake(of) => {
                self.destroy(NAMES[*of]);
                for name in NAMES {
                    self.make(name);
                }
            }
            Happening::Destroy(of) => self.destroy(NAMES[*of]),
            Happening::Rename(from, to) => {
                let (from, to) = (NAMES[*from], NAMES[*to]);
                let has_parent =
                    to.rsplit_once('/').is_none_or(|(parent, _)| self.source.contains_key(parent));
                if !self.source.contains_key(to) && has_parent && !to.starts_with(&format!("{from}/")) {
                    let names: Vec<String> = self.source.keys().cloned().collect();
                    for name in names {
                        let Some(below) = name
                            .strip_prefix(from)
                            .filter(|below| below.is_empty() || below.starts_with('/'))
                        else {
                            continue;
                        };
                        if let Some(mut source) = self.source.remove(&name) {
                            let name = format!("{to}{below}");
                            source.child = name.parse().expect("a name");
                            source.dataset = format!("r/{name}").parse::<Dataset>().expect("a name");
                            self.source.insert(name, source);
                        }
                    }
                }
            }
            Happening::Forget(of, bookmarks) => {
                if let Some(source) = self.source.get_mut(NAMES[*of]) {
                    source.snapshots.clear();
                    if *bookmarks {
                        source.bookmarks.clear();
                    }
                }
            }
        }
    }

    fn run(&mut self, steps: usize, half: bool) {
        let now = self.next();
        let at = datetime!(2026-01-01 0:00 UTC) + Duration::minutes(i64::try_from(now).expect("small"));
        let mark = COPY.snapshot(at);
        let sources: Vec<String> = self.source.keys().cloned().collect();
        for name in &sources {
            let guid = self.next();
            let source = self.source.get_mut(name).expect("it is there");
            source.snapshots.push(Snapshot {
                dataset: source.dataset.clone(),
                name: mark.clone(),
                guid,
                createtxg: now,
                written: 0,
                referenced: 0,
                is_ours: true,
                is_held: false,
            });
        }
        // As the listing was before: the target is not in it.
        let mut listed: Vec<Source> = self.source.values().cloned().collect();
        let targets: Vec<Snapshot> =
            listed.iter_mut().map(|source| source.snapshots.pop().expect("just made")).collect();
        let wanted: Vec<Wanted<'_>> = listed
            .iter()
            .zip(&targets)
            .map(|(source, target)| Wanted { source, target, raw: false, rests: false })
            .collect();
        let name = SnapshotName::Automatic(Automatic::at(at));
        let stamp = name.to_string();
        let stamp = stamp.trim_start_matches("planb-");
        let spurned = Spurned::default();
        let wish = Wish { copy: COPY, name: &name, stamp, newest: None, spurned: &spurned };
        let plan = plan(&wanted, self.here.values().cloned().collect(), wish);
        assert_eq!(plan.refusals, [""; 0]);
        let is_whole = steps >= plan.steps.len();
        for (number, step) in plan.steps.iter().take(steps).enumerate() {
            self.take(step, half && !is_whole && number + 1 == steps);
        }
        if !is_whole {
            return;
        }
        for (source, target) in listed.iter().zip(&targets) {
            let here = &self.here[source.child.as_str()];
            let newest = here.snapshots.last().map(|newest| (newest.guid, newest.name.clone()));
            assert_eq!(newest, Some((target.guid, name.to_string())), "{}", source.child);
            assert!(here.partial.is_none());
        }
        // What is on both sides is bookmarked there, and older snapshots go.
        for (source, target) in listed.iter().zip(&targets) {
            let source = self.source.get_mut(source.child.as_str()).expect("it is there");
            source.bookmarks.push(Bookmark {
                name: target.name.clone(),
                guid: target.guid,
                createtxg: target.createtxg,
                is_ours: true,
            });
            let old = source.snapshots.len().saturating_sub(3);
            source.snapshots.drain(..old);
        }
    }

    /// Takes a step, as zfs would, or fails as it would.
    fn take(&mut self, step: &Step, half: bool) {
        let has_parent = |here: &BTreeMap<String, Copied>, child: &Child| {
            child.ancestors().all(|parent| here.contains_key(parent.as_str()))
        };
        match step {
            Step::Abandon { child } => {
                let here = self.here.get_mut(child.as_str()).expect("there is one to abandon");
                assert!(here.partial.take().is_some());
                if here.snapshots.is_empty() {
                    self.here.remove(child.as_str());
                }
            }
            Step::Rename { from, to } => {
                assert!(
                    self.here.contains_key(from.as_str()) && !self.here.contains_key(to.as_str()),
                    "{step:?}"
                );
                assert!(has_parent(&self.here, to), "{step:?}");
                let all: Vec<Copied> = self.here.values().cloned().collect();
                self.here = all
                    .into_iter()
                    .map(|mut copied| {
                        copied.child = copied.child.moved(from, to).unwrap_or(copied.child);
                        if let Some(origin) = &mut copied.origin {
                            origin.child = origin.child.moved(from, to).unwrap_or(origin.child.clone());
                        }
                        (copied.child.to_string(), copied)
                    })
                    .collect();
            }
            Step::Branch { aside, snapshot, child } => {
                let of = &self.here[aside.as_str()];
                assert!(of.snapshots.iter().any(|there| there.name == *snapshot), "{step:?}");
                assert!(!self.here.contains_key(child.as_str()) && has_parent(&self.here, child), "{step:?}");
                let origin = Origin { child: aside.clone(), snapshot: snapshot.clone() };
                self.add(child, Some(origin));
            }
            Step::Promote { child } => {
                let origin = self.here[child.as_str()].origin.clone().expect("a clone");
                let of = self.here.get_mut(origin.child.as_str()).expect("its origin");
                let at = of.snapshots.iter().position(|there| there.name == origin.snapshot).expect("there");
                let moved: Vec<Frozen> = of.snapshots.drain(..=at).collect();
                for other in self.here.values_mut() {
                    let Some(began) = &mut other.origin else { continue };
                    if began.child == origin.child && moved.iter().any(|there| there.name == began.snapshot) {
                        began.child = child.clone();
                    }
                }
                let of = self.here.get_mut(origin.child.as_str()).expect("its origin");
                of.origin = Some(Origin { child: child.clone(), snapshot: origin.snapshot });
                let here = self.here.get_mut(child.as_str()).expect("it is there");
                here.origin = None;
                here.snapshots.splice(0..0, moved);
            }
            Step::Parent { child } => {
                assert!(!self.here.contains_key(child.as_str()) && has_parent(&self.here, child), "{step:?}");
                self.add(child, None);
            }
            Step::Receive(receive) => self.receive(receive, half),
        }
    }

    fn add(&mut self, child: &Child, origin: Option<Origin>) {
        let copied = Copied {
            child: child.clone(),
            kind: Kind::Filesystem,
            source: None,
            is_raw: false,
            origin,
            partial: None,
            snapshots: Vec::new(),
        };
        self.here.insert(child.to_string(), copied);
    }

    fn receive(&mut self, receive: &Receive, half: bool) {
        let Receive { child, is_new, name, guid, how, .. } = receive;
        assert_eq!(*is_new, !self.here.contains_key(child.as_str()), "{receive:?}");
        assert!(child.ancestors().all(|parent| self.here.contains_key(parent.as_str())), "{receive:?}");
        if *is_new {
            self.add(child, None);
        }
        let createtxg = self.next();
        let here = self.here.get_mut(child.as_str()).expect("it is there");
        match how {
            How::Resume { .. } => {
                let partial = here.partial.as_ref().expect("half of it is there");
                assert_eq!(partial.to, Some(*guid));
            }
            How::Send { base } => {
                assert!(here.partial.is_none(), "{receive:?}");
                let newest = here.snapshots.last().map(|newest| newest.guid);
                assert_eq!(newest, base.as_ref().map(|base| base.guid), "{receive:?}");
                assert!(base.is_some() || *is_new, "nothing is received over {receive:?}");
            }
        }
        if half {
            let token = "1-ab".parse().expect("a token");
            here.partial = Some(Partial { token, to: Some(*guid) });
            return;
        }
        here.partial = None;
        assert!(here.snapshots.iter().all(|there| there.name != *name), "{name} is there");
        here.snapshots.push(Frozen { name: name.clone(), guid: *guid, createtxg, is_held: false });
        self.received.insert(*guid);
    }

    /// Nothing that was ever received is gone.
    fn check(&self) {
        let there: BTreeSet<u64> =
            self.here.values().flat_map(|copied| &copied.snapshots).map(|frozen| frozen.guid).collect();
        assert!(self.received.is_subset(&there));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn history_survives_and_every_run_that_is_let_ends_well(
        happenings in prop::collection::vec(happening(), 1..25),
    ) {
        let mut world = World::default();
        for name in NAMES {
 world.make(name);
 }
        for happening in &happenings {
            world.happen(happening);
            world.check();
        }
        // Whatever it was: a run that is not disturbed gets all of it.
        world.happen(&Happening::Run { steps: usize::MAX, half: false });
        world.check();
    }
}
