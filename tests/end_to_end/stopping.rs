//! Runs that are stopped, and runs that are killed: nothing goes on, nothing is lost, and the next run says so.

use crate::sshd::Sshd;
use crate::world::{BEGIN, Process, World, wait_for};
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use time::Duration;

/// So many bytes that no compression, no sparse file and no delta makes fewer.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend(state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

const BIG: usize = 3_000_000;
const SOME: u64 = 600_000;

/// A fileset of one big file that takes some seconds, and the sshd it comes from.
fn slow(world: &World) -> Sshd {
    let sshd = Sshd::start();
    world.write("big", noise(BIG, 1));
    world.over(&sshd, "web1", "", "bwlimit = \"1M\"");
    sshd
}

/// The next run gets through, and not all of it has to come again.
#[track_caller]
fn assert_resumes(world: &World, sshd: &Sshd) -> crate::world::Ran {
    world.over(sshd, "web1", "", "");
    let ran = world.good_run("web1");
    assert!(ran.said("going on with what an unfinished run transferred"), "{}", ran.stderr);
    let came = world.last("web1")["bytes_transferred"].as_u64().expect("figures");
    assert!(came < BIG as u64 - SOME / 2, "{came} bytes came again");
    assert_eq!(fs::read(world.newest("web1").join("big")).expect("there"), noise(BIG, 1));
    world.assert_nothing_left_behind();
    ran
}

#[test]
fn a_stopped_run_ends_at_once_with_all_its_processes_and_is_resumed() {
    let worlds = World::each("a_stopped_run_is_resumed");
    for (signal, world) in [Signal::SIGINT, Signal::SIGTERM].into_iter().zip(worlds) {
        world.listen();
        let sshd = slow(&world);
        let running = world.start(&["run", "web1"]);
        world.wait_until_received("web1", SOME);
        assert_eq!(world.listed("web1")["state"], "running");
        let children = running.children();
        let names: Vec<String> = children.iter().map(Process::name).collect();
        assert!(names.contains(&"rsync".into()) && names.contains(&"ssh".into()), "{names:?}");
        running.signal(signal);
        let ran = running.wait();
        let alive: Vec<&Process> = children.iter().filter(|child| child.is_alive()).collect();
        assert!(alive.is_empty(), "{alive:?} of {names:?}");
        world.assert_came_to_nothing(&ran, "web1", 1, "interrupted", &["stopped"]);
        assert!(ran.said("web1: interrupted after "), "{}", ran.stderr);
        assert!(world.snapshots("web1").is_empty());
        let listed = world.listed("web1");
        assert_eq!((&listed["state"], &listed["last_result"]), (&"idle".into(), &"interrupted".into()));
        // A person who stops a run opens no streak of failures.
        assert_eq!(listed["first_failure"], Value::Null);
        assert_resumes(&world, &sshd);
        assert_eq!(world.last_heard().env["PLANB_RESULT"], "success");
    }
}

#[test]
fn a_stop_ends_all_of_many_runs() {
    let world = World::new();
    let sshd = slow(&world);
    world.over(&sshd, "web2", "", "bwlimit = \"1M\"");
    world.over(&sshd, "web3", "", "");
    let running = world.start(&["run", "--all"]);
    // One source, one slot: the others wait for it.
    wait_for("the first", || ["web1", "web2", "web3"].iter().any(|name| world.received(name) > 0));
    running.signal(Signal::SIGTERM);
    let ran = running.wait();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let runs: usize = ["web1", "web2", "web3"].map(|name| world.runs(name).len()).iter().sum();
    assert_eq!(runs, 1, "the others never began");
    world.assert_nothing_left_behind();
}

#[test]
fn a_killed_run_is_cleaned_up_after_by_the_next_one() {
    let world = World::new();
    world.listen();
    let sshd = slow(&world);
    let running = world.start(&["run", "web1"]);
    world.wait_until_received("web1", SOME);
    let children = running.children();
    // A connection that stalls: what planb started does not notice that planb is gone.
    sshd.signal(Signal::SIGSTOP);
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code, 128 + 9);
    let heirs = || children.iter().filter(|child| child.is_alive() && child.name() == "rsync").count();
    assert!(heirs() > 0, "nothing is left that could still write: this test tries nothing");

    let listed = world.listed("web1");
    assert_eq!((&listed["state"], &listed["last_result"]), (&"idle".into(), &"killed".into()));
    assert!(listed["error"].as_str().is_some_and(|error| error.contains("was killed")), "{listed:#}");
    assert!(world.runs("web1").is_empty() && world.heard().is_empty());

    let ran = assert_resumes(&world, &sshd);
    assert_eq!(heirs(), 0);
    assert!(ran.said("a killed run had left processes that still wrote; they were ended"), "{}", ran.stderr);
    assert!(ran.said("the run that began at 2026-03-02 03:00 was killed"), "{}", ran.stderr);
    let runs = world.runs("web1");
    let results: Vec<&Value> = runs.iter().map(|run| &run["result"]).collect();
    assert_eq!(results, ["success", "killed"]);
    assert!(runs[1]["finished"].is_null() && runs[1]["snapshot"].is_null(), "{:#}", runs[1]);
    let heard = world.heard();
    let results: Vec<&str> = heard.iter().map(|heard| &*heard.env["PLANB_RESULT"]).collect();
    assert_eq!(results, ["killed", "success"]);
    assert_eq!(heard[0].env["PLANB_FIRST_FAILURE"], heard[0].env["PLANB_STARTED"]);
    assert_eq!(world.snapshots("web1").len(), 1);
    assert_eq!(world.listed("web1")["last_result"], "success");
}

#[test]
fn a_run_killed_while_it_waits_for_a_slot_holds_up_nobody() {
    let (world, sshd) = (World::with("slots = 1\n"), Sshd::start());
    world.write("f", "f");
    let go = world.at("go");
    sshd.force(&format!(
        "until [ -e \"{}\" ]; do sleep 0.02; done; exec sh -c \"$SSH_ORIGINAL_COMMAND\"",
        go.display()
    ));
    world.over(&sshd, "first", "", "");
    for name in ["killed", "other"] {
        world.local(name, "", "");
    }
    let first = world.start(&["run", "first"]);
    wait_for("the first run", || world.listed("first")["state"] == "running");
    let killed = world.start(&["run", "killed"]);
    killed.wait_until_queued();
    assert_eq!(world.listed("killed")["state"], "queued");
    killed.signal(Signal::SIGKILL);
    killed.wait();
    let listed = world.listed("killed");
    assert_eq!((&listed["state"], &listed["last_result"]), (&"idle".into(), &"killed".into()));
    let other = world.start(&["run", "other"]);
    other.wait_until_queued();
    fs::write(go, "").expect("written");
    assert_eq!((first.wait().code, other.wait().code), (0, 0));
    world.good_run("killed");
    assert_eq!(world.runs("killed")[1]["result"], "killed");
    world.assert_nothing_left_behind();
}

/// What the source is for the nth time: some files change, come, go, are linked or made a directory.
fn nth_source(world: &World, n: i64) -> BTreeMap<PathBuf, Vec<u8>> {
    world.write("counter", n.to_string());
    world.write(format!("slowly/{}", n % 7), noise(20_000, n.unsigned_abs()));
    let other = world.source().join("kind");
    let _ = fs::remove_dir_all(&other);
    let _ = fs::remove_file(&other);
    world.write(if n % 2 == 0 { "kind" } else { "kind/below" }, format!("{n}"));
    let link = world.source().join("link");
    let _ = fs::remove_file(&link);
    fs::hard_link(world.source().join(format!("slowly/{}", n % 7)), link).expect("linked");
    contents(&world.source())
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(top: &Path, dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(dir).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(top, &path, found);
            } else {
                found.insert(
                    path.strip_prefix(top).expect("below").to_owned(),
                    fs::read(&path).expect("read"),
                );
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

#[test]
fn whenever_it_is_killed_every_listed_snapshot_is_whole_and_the_next_run_gets_through() {
    let world = World::new();
    world.local("web1", "", "");
    let mut sources = BTreeMap::new();
    let mut listed = BTreeMap::new();
    let name = |n: i64| {
        let at = BEGIN + Duration::minutes(n);
        format!("planb-20260302T{:02}{:02}Z", at.hour(), at.minute())
    };
    sources.insert(name(1), nth_source(&world, 1));
    let begun = std::time::Instant::now();
    world.good_run("web1");
    let usual = begun.elapsed();

    let mut moment = 0x9e37_79b9_7f4a_7c15_u64;
    let mut killed = 0;
    for n in 2..=31 {
        // The heirs of a killed run read the source too: it stands still as long as they live.
        world.later(Duration::MINUTE);
        sources.insert(name(n), nth_source(&world, n));
        let mut running = world.start(&["run", "web1"]);
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = u32::try_from(moment >> 33).expect("31 bits") % 1200;
        // Any moment will do: this is not waited for, it is chosen.
        let _ = poll(&mut [], PollTimeout::try_from(usual * share / 1000).expect("short"));
        let over = running.is_over();
        if !over {
            running.signal(Signal::SIGKILL);
        }
        let ran = running.wait();
        killed += u32::from(!over && ran.code == 128 + 9);
        assert!([0, 128 + 9].contains(&ran.code), "{}", ran.stderr);
        for snapshot in world.snapshots("web1") {
            let is = contents(&world.data("web1", &snapshot));
            assert_eq!(
                is.keys().collect::<Vec<_>>(),
                sources[&snapshot].keys().collect::<Vec<_>>(),
                "{snapshot}"
            );
            assert!(is == sources[&snapshot], "{snapshot} is not what the source was");
            if let Some(before) = listed.insert(snapshot.clone(), is) {
                assert!(before == sources[&snapshot], "{snapshot} has changed");
            }
        }
        assert_eq!(world.snapshots("web1"), listed.keys().cloned().collect::<Vec<_>>(), "one is gone");
    }
    assert!(killed > 5, "only {killed} were killed: this test tries too little");
    sources.insert(name(32), nth_source(&world, 32));
    world.good_run("web1");
    assert!(contents(&world.newest("web1")) == sources[&name(32)]);
    world.assert_nothing_left_behind();
    // Who was killed before it began is no run; whoever made a snapshot did begin.
    let runs = world.runs("web1");
    for snapshot in world.snapshots("web1") {
        let minute = format!("2026-03-02T{}:{}", &snapshot[15..17], &snapshot[17..19]);
        let of = |run: &&Value| run["started"].as_str().is_some_and(|started| started.starts_with(&minute));
        let run = runs.iter().find(of).unwrap_or_else(|| panic!("no record of {snapshot}"));
        let told = (&run["result"], &run["snapshot"]);
        // Killed between the two: what was not seen to its end is not called a success.
        assert!(
            [("success", Some(&*snapshot)), ("killed", None)]
                .contains(&(told.0.as_str().expect("a result"), told.1.as_str())),
            "{run:#}"
        );
    }
    for run in runs {
        let snapshot = run["snapshot"].as_str();
        assert_eq!(run["result"] == "success", snapshot.is_some(), "{run:#}");
        assert!(
            snapshot.is_none_or(|snapshot| listed.contains_key(snapshot) || snapshot == name(32)),
            "{run:#}"
        );
    }
}
