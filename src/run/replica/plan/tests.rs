use super::*;
use crate::fileset::snapshot::Automatic;
use crate::storage::{Frozen, Origin, Partial};
use crate::transport::zfs::wire::{Bookmark, Encryption};
use time::macros::datetime;

mod half;

const COPY: CopyId = CopyId(7);
const STAMP: &str = "20260105T0000Z";

fn child(text: &str) -> Child {
    text.parse().expect("a name")
}

/// The name at the source of a snapshot that a run made in this second.
fn ours(second: u8) -> String {
    format!("planb-20260101T0000{second:02}Z-{COPY}")
}

/// A world: datasets of the source with the GUIDs of their snapshots, and what is here.
struct World {
    source: Vec<Source>,
    here: Vec<Copied>,
    /// Absent: what is encrypted.
    raw: Option<bool>,
    spurned: Spurned,
    newest: Option<SnapshotName>,
    resting: BTreeSet<&'static str>,
}

/// The snapshot of this run has the GUID of its dataset's oldest, and a thousand more.
fn target(source: &Source) -> Snapshot {
    let guid = source.guid + 1000;
    let of = Snapshot::of(source.dataset.as_str(), &ours(59), guid);
    Snapshot { createtxg: 1_000_000, is_ours: true, ..of }
}

impl World {
    fn new() -> Self {
        let (source, here, spurned, resting) = Default::default();
        Self { source, here, raw: None, spurned, newest: None, resting }
    }

    /// A dataset of the source. Snapshots are named after their GUID, which is also when they were made.
    fn source(mut self, name: &str, guid: u64, snapshots: &[u64], bookmarks: &[u64]) -> Self {
        let dataset = format!("rpool/{name}");
        let snapshot = |guid: &u64| {
            let name = ours(u8::try_from(guid % 50).expect("small"));
            Snapshot { is_ours: true, ..Snapshot::of(&dataset, &name, *guid) }
        };
        let bookmark = |guid: &u64| Bookmark {
            name: format!("b{guid}").parse().expect("a name"),
            guid: *guid,
            createtxg: *guid,
            is_ours: true,
        };
        self.source.push(Source {
            guid,
            snapshots: snapshots.iter().map(snapshot).collect(),
            bookmarks: bookmarks.iter().map(bookmark).collect(),
            ..Source::of(&dataset, name)
        });
        self
    }

    fn encrypted(mut self, key_is_loaded: bool) -> Self {
        let source = self.source.last_mut().expect("one");
        source.encryption = Some(Encryption { root: source.dataset.clone(), key_is_loaded });
        self
    }

    fn here(mut self, name: &str, snapshots: &[u64]) -> Self {
        let frozen = |guid: &u64| Frozen {
            name: format!("planb-2026010{}T0000Z", guid % 10),
            guid: *guid,
            createtxg: *guid,
            is_held: false,
        };
        self.here.push(Copied {
            child: child(name),
            kind: Kind::Filesystem,
            source: None,
            is_raw: false,
            origin: None,
            partial: None,
            snapshots: snapshots.iter().map(frozen).collect(),
        });
        self
    }

    fn but(mut self, change: impl FnOnce(&mut Copied)) -> Self {
        change(self.here.last_mut().expect("one"));
        self
    }

    fn half(self, to: u64) -> Self {
        let token = "1-ab".parse().expect("a token");
        self.but(|copied| copied.partial = Some(Partial { token, to: Some(to) }))
    }

    fn wanted<'w>(&self, source: &'w Source, target: &'w Snapshot) -> Wanted<'w> {
        let raw = self.raw.unwrap_or(source.encryption.is_some());
        let rests = self.resting.contains(source.child.as_str());
        Wanted { source, target, raw, rests }
    }

    fn plan(&self) -> Plan {
        let targets: Vec<Snapshot> = self.source.iter().map(target).collect();
        let wanted: Vec<Wanted<'_>> =
            self.source.iter().zip(&targets).map(|(source, target)| self.wanted(source, target)).collect();
        let name = SnapshotName::Automatic(Automatic::at(datetime!(2026-01-05 0:00 UTC)));
        let wish = Wish {
            copy: COPY,
            name: &name,
            stamp: STAMP,
            newest: self.newest.as_ref(),
            spurned: &self.spurned,
        };
        plan(&wanted, self.here.clone(), wish)
    }

    /// The steps, in a short hand, of a plan that refuses nothing.
    #[track_caller]
    fn steps(&self) -> Vec<String> {
        let plan = self.plan();
        assert_eq!(plan.refusals, [""; 0]);
        plan.steps.iter().map(short).collect()
    }
}

fn short(step: &Step) -> String {
    match step {
        Step::Abandon { child } => format!("abandon {child}"),
        Step::Rename { from, to } => format!("rename {from} {to}"),
        Step::Branch { aside, snapshot, child } => format!("branch {aside}@{snapshot} {child}"),
        Step::Promote { child } => format!("promote {child}"),
        Step::Parent { child } => format!("parent {child}"),
        Step::Receive(Receive { child, is_new, name, guid, how, raw, .. }) => {
            let raw = if *raw { " raw" } else { "" };
            let new = if *is_new { "new " } else { "" };
            let name = if name == "planb-20260105T0000Z" { String::new() } else { format!(" as {name}") };
            let how = match how {
                How::Send { base: None } => "full".to_owned(),
                How::Send { base: Some(Base { guid, from: From::Bookmark(_), .. }) } => format!("on #{guid}"),
                How::Send { base: Some(Base { guid, .. }) } => format!("on @{guid}"),
                How::Resume { .. } => "rest".to_owned(),
            };
            format!("{new}{child} {how} -> {guid}{raw}{name}")
        }
    }
}

#[test]
fn what_is_new_comes_whole_and_the_rest_on_top_of_what_is_here() {
    let world = World::new().source("data", 0, &[1, 2, 3], &[]).source("data/new", 10, &[], &[]).source(
        "vm",
        20,
        &[],
        &[22],
    );
    let world = world.here("data", &[1, 3]).here("vm", &[21, 22]);
    assert_eq!(world.steps(), ["data on @3 -> 1000", "new data/new full -> 1010", "vm on #22 -> 1020"]);
    assert_eq!(world.plan().notices, [""; 0]);
}

#[test]
fn a_snapshot_is_rather_built_on_than_its_bookmark_and_what_came_already_does_not_come_again() {
    let world = World::new().source("data", 0, &[3], &[3]).here("data", &[3]);
    assert_eq!(world.steps(), ["data on @3 -> 1000"]);
    let world = World::new().source("data", 0, &[3], &[]).here("data", &[3, 1000]);
    assert_eq!(world.steps(), [""; 0]);
}

#[test]
fn parents_that_the_fileset_has_not_are_made() {
    let world = World::new().source("a/b/c", 0, &[], &[]).here("a", &[]);
    assert_eq!(world.steps(), ["parent a/b", "new a/b/c full -> 1000"]);
}

#[test]
fn nothing_is_done_about_what_is_here_in_the_wanted_state() {
    let mut world =
        World::new().source("data", 0, &[3], &[]).here("data", &[2, 3]).source("new", 10, &[], &[]);
    world.resting.insert("data");
    world.newest = SnapshotName::parse("planb-20260103T0000Z");
    assert_eq!(world.steps(), ["new new full -> 1010"]);
    assert_eq!(world.plan().notices, [""; 0]);
}

#[test]
fn a_source_that_went_back_keeps_what_was_after_that() {
    let world = World::new().source("data", 0, &[1, 2], &[]).here("data", &[1, 2, 3, 4]);
    let aside = format!("data.before-{STAMP}");
    assert_eq!(
        world.steps(),
        [
            format!("rename data {aside}"),
            format!("branch {aside}@planb-20260102T0000Z data"),
            "promote data".into(),
            "data on @2 -> 1000".into()
        ]
    );
    let notices = world.plan().notices;
    assert!(notices.len() == 1 && notices[0].contains(&aside), "{notices:?}");
    assert!(notices[0].contains("rpool/data went back to planb-20260102T0000Z"), "{notices:?}");
}

#[test]
fn a_source_made_anew_is_transferred_anew_beside_what_there_was() {
    let world = World::new().source("data", 0, &[8, 9], &[8]).here("data", &[1, 2]);
    let aside = format!("data.before-{STAMP}");
    assert_eq!(world.steps(), [format!("rename data {aside}"), "new data full -> 1000".into()]);
    assert!(world.plan().notices[0].contains("nothing in common"), "{:?}", world.plan().notices);
    // A file system that is a volume now.
    let mut world = World::new().source("data", 0, &[1], &[]).here("data", &[1]);
    world.source[0].kind = Kind::Volume;
    assert_eq!(world.steps(), [format!("rename data {aside}"), "new data full -> 1000".into()]);
    // A name that is taken.
    let world = World::new().source("data", 0, &[8], &[]).here("data", &[1]).here(&aside, &[2]);
    assert_eq!(world.steps(), [format!("rename data {aside}.2"), "new data full -> 1000".into()]);
    // Nothing can be received over an empty one, and nobody needs to hear of it twice.
    let world = World::new().source("data", 0, &[8], &[]).here("data", &[]);
    assert_eq!(world.steps(), [format!("rename data {aside}"), "new data full -> 1000".into()]);
}

#[test]
fn what_is_below_comes_back_from_what_was_put_aside() {
    let world = World::new().source("data", 0, &[9], &[]).source("data/sub", 10, &[11], &[]);
    let world = world.here("data", &[1]).here("data/sub", &[11]);
    let aside = format!("data.before-{STAMP}");
    assert_eq!(
        world.steps(),
        [
            format!("rename data {aside}"),
            "new data full -> 1000".into(),
            format!("rename {aside}/sub data/sub"),
            "data/sub on @11 -> 1010".into()
        ]
    );
    assert_eq!(world.plan().notices.len(), 1);
}

#[test]
fn renamed_at_the_source_is_renamed_here() {
    let world = World::new().source("new", 0, &[1, 2], &[]).here("old", &[1, 2]);
    assert_eq!(world.steps(), ["rename old new", "new on @2 -> 1000"]);
    assert_eq!(world.plan().notices, ["old is new at the source now, and here"]);
    // Two that changed places.
    let world = World::new().source("a", 0, &[1], &[]).source("b", 10, &[11], &[]);
    let world = world.here("a", &[11]).here("b", &[1]);
    let aside = format!("a.before-{STAMP}");
    assert_eq!(
        world.steps(),
        [
            format!("rename a {aside}"),
            "rename b a".into(),
            "a on @1 -> 1000".into(),
            format!("rename {aside} b"),
            "b on @11 -> 1010".into()
        ]
    );
    // One that is another's, too: a clone at the source has its origin's snapshots no more than its name.
    let world = World::new().source("a", 0, &[1], &[]).source("b", 10, &[1], &[]).here("a", &[1]);
    assert_eq!(world.steps(), ["a on @1 -> 1000", "new b full -> 1010"]);
}

#[test]
fn a_run_that_ended_amid_putting_aside_is_gone_on_with() {
    let aside = format!("data.before-{STAMP}");
    // After the rename.
    let world = World::new().source("data", 0, &[1, 2], &[]).here(&aside, &[1, 2, 3]);
    let branch = format!("branch {aside}@planb-20260102T0000Z data");
    assert_eq!(world.steps(), [branch.as_str(), "promote data", "data on @2 -> 1000"]);
    // After the clone.
    let origin = Origin { child: child(&aside), snapshot: "planb-20260102T0000Z".into() };
    let world = World::new().source("data", 0, &[1, 2], &[]).here(&aside, &[1, 2, 3]).here("data", &[]);
    let world = world.but(|copied| copied.origin = Some(origin));
    assert_eq!(world.steps(), ["promote data", "data on @2 -> 1000"]);
}

#[test]
fn snapshots_that_others_made_here_are_in_the_way() {
    let world = World::new().source("data", 0, &[1], &[]).here("data", &[1, 5]);
    let world = world.but(|copied| copied.snapshots[1].name = "zfs-auto-snap_daily".into());
    let refusals = world.plan().refusals;
    assert!(refusals.len() == 1 && refusals[0].contains("zfs-auto-snap_daily"), "{refusals:?}");
    // Below what comes on top they are in nobody's way.
    let world = World::new().source("data", 0, &[5], &[]).here("data", &[1, 5]);
    let world = world.but(|copied| copied.snapshots[0].name = "zfs-auto-snap_daily".into());
    assert_eq!(world.steps(), ["data on @5 -> 1000"]);
}

#[test]
fn raw_and_plain_are_not_mixed() {
    let mut world = World::new().source("data", 0, &[1], &[]).encrypted(false).here("data", &[1]);
    let refusals = world.plan().refusals;
    assert!(refusals.len() == 1 && refusals[0].contains("received decrypted"), "{refusals:?}");
    world.here[0].is_raw = true;
    assert_eq!(world.steps(), ["data on @1 -> 1000 raw"]);
    world.raw = Some(false);
    let refusals = world.plan().refusals;
    assert!(refusals.len() == 1 && refusals[0].contains("zfs load-key rpool/data"), "{refusals:?}");
    let world = World { raw: Some(false), ..World::new() };
    let world = world.source("data", 0, &[1], &[]).encrypted(true).here("data", &[1]);
    assert_eq!(world.steps(), ["data on @1 -> 1000"]);
    let world = world.but(|copied| copied.is_raw = true);
    let refusals = world.plan().refusals;
    assert!(refusals.len() == 1 && refusals[0].contains("received raw"), "{refusals:?}");
    // What is not encrypted is sent as it lies there, and is the same either way.
    let world = World { raw: Some(true), ..World::new() }.source("data", 0, &[1], &[]).here("data", &[1]);
    assert_eq!(world.steps(), ["data on @1 -> 1000 raw"]);
}

#[test]
fn what_the_source_would_not_build_on_is_not_built_on_again() {
    let mut world = World::new().source("data", 0, &[1, 2], &[]).here("data", &[1, 2]);
    world.spurned.bases.insert((child("data"), 2));
    let aside = format!("data.before-{STAMP}");
    assert_eq!(
        world.steps()[..2],
        [format!("rename data {aside}"), format!("branch {aside}@planb-20260101T0000Z data")]
    );
    world.spurned.bases.insert((child("data"), 1));
    assert_eq!(world.steps(), [format!("rename data {aside}"), "new data full -> 1000".into()]);
}

#[test]
fn what_the_source_has_no_more_stays_and_is_told_once() {
    let mut world = World::new().source("data", 0, &[2], &[]).here("data", &[2]).here("gone", &[12]);
    world.newest = SnapshotName::parse("planb-20260102T0000Z");
    assert_eq!(world.steps(), ["data on @2 -> 1000"]);
    assert!(world.plan().notices[0].starts_with("gone is not at the source any more"));
    world.newest = SnapshotName::parse("planb-20260103T0000Z");
    assert_eq!(world.plan().notices, [""; 0]);
}
