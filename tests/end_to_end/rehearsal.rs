//! `run --dry-run` says what a run would do, and does none of it.

use crate::sshd::Sshd;
use crate::stopping::noise;
use crate::world::{Ran, World};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use time::Duration;

/// All there is to see of a world, but PlanB's empty directories below /run.
fn seen(world: &World) -> BTreeMap<PathBuf, String> {
    fn walk(path: &Path, found: &mut BTreeMap<PathBuf, String>) {
        let m = path.symlink_metadata().expect("there");
        let content = if m.is_file() { fs::read(path).expect("read") } else { Vec::new() };
        let attributes: Vec<_> = xattr::list(path).expect("read").collect();
        let changed = (m.ctime(), m.ctime_nsec(), m.mtime(), m.mtime_nsec());
        found.insert(
            path.to_owned(),
            format!("{} {:o} {changed:?} {content:?} {attributes:?}", m.ino(), m.mode()),
        );
        if m.is_dir() {
            for entry in fs::read_dir(path).expect("listed") {
                walk(&entry.expect("an entry").path(), found);
            }
        }
    }
    let mut found = BTreeMap::new();
    for place in ["backups", "root/etc", "root/var", "heard", "source"] {
        if world.at(place).exists() {
            walk(&world.at(place), &mut found);
        }
    }
    found
}

fn rehearse(world: &World, more: &[&str]) -> Ran {
    let before = seen(world);
    world.later(Duration::MINUTE);
    let ran = world.planb(&[&["run", "--dry-run", "web1"], more].concat());
    let after = seen(world);
    for path in before.keys().chain(after.keys()) {
        assert_eq!(after.get(path), before.get(path), "{}", path.display());
    }
    world.assert_nothing_left_behind();
    ran
}

#[test]
fn a_rehearsal_says_what_a_run_does_and_changes_nothing() {
    for metadata in ["full", "basic"] {
        let (world, sshd) = (World::new(), Sshd::start());
        world.listen();
        for n in 0..4 {
            world.write(format!("d/f{n}"), noise(2000, n));
        }
        fs::create_dir_all(world.at("root/var/lib/planb")).expect("directories");
        let rsync = format!("metadata = {metadata:?}");
        world.over(&sshd, "web1", "retain = \"1h\"", &rsync);
        let ran = rehearse(&world, &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(
            ran.stdout,
            "web1: would transfer 4 files, 7.8 KiB; the source has 6 names, 7.8 KiB\nweb1: would make planb-20260302T0301Z\n"
        );
        world.good_run("web1");
        for _ in 0..2 {
            world.later(Duration::HOUR);
            world.good_run("web1");
        }

        fs::remove_file(world.source().join("d/f0")).expect("removed");
        world.write("d/f1", noise(3000, 9));
        let ran = rehearse(&world, &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "web1: would transfer 1 file, 2.9 KiB; the source has 5 names, 6.8 KiB",
                "web1: would leave out 1 name that planb-20260302T0504Z has",
                "web1: would make planb-20260302T0505Z",
            ]
        );
        // It is what the run then does.
        let before = world.snapshots("web1");
        world.good_run("web1");
        let after = world.snapshots("web1");
        let destroyed: Vec<String> = before
            .iter()
            .filter(|name| !after.contains(name))
            .map(|name| format!("web1: would destroy {name}"))
            .collect();
        assert_eq!(lines[3..], destroyed);
        assert!(world.runs("web1").len() == 4 && world.heard().len() == 4, "a rehearsal is no run");
        let record = world.last("web1");
        assert_eq!((&record["files_transferred"], &record["files_total"]), (&1.into(), &5.into()));
    }
}

#[test]
fn a_rehearsal_has_the_exit_code_of_the_run() {
    let world = World::new();
    for n in 0..4 {
        world.write(format!("f{n}"), noise(1000, n));
    }
    world.local("web1", "", "");
    world.good_run("web1");
    for n in 0..3 {
        fs::remove_file(world.source().join(format!("f{n}"))).expect("removed");
    }
    let ran = rehearse(&world, &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains("web1: would make no snapshot: the source lost 75% of its bytes"),
        "{}",
        ran.stdout
    );
    assert_eq!(rehearse(&world, &["--accept-shrink"]).code, 0);
    let kept = rehearse(&world, &["--accept-shrink", "--keep", "upgrade"]);
    assert!(kept.stdout.contains("web1: would make upgrade-20260302T0304Z"), "{}", kept.stdout);

    fs::rename(world.source(), world.at("away")).expect("moved");
    let ran = rehearse(&world, &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.said("a run would come to: failure: "), "{}", ran.stderr);
}

#[test]
fn a_rehearsal_stands_in_no_runs_way() {
    let (world, sshd) = (World::with("slots = 1"), Sshd::start());
    world.write("big", noise(3_000_000, 1));
    world.over(&sshd, "web1", "", "bwlimit = \"1M\"");
    let running = world.start(&["run", "web1"]);
    world.wait_until_received("web1", 100_000);
    let ran = world.planb(&["run", "--dry-run", "web1"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("would transfer 1 file"), "{}", ran.stdout);
    let mut running = running;
    assert!(!running.is_over());
    assert_eq!(running.wait().code, 0);
}
