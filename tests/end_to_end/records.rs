//! Troubles with PlanB's own records never cost a backup, and never go unsaid.

use crate::sshd::run;
use crate::world::{Mount, World, is_root_for};
use std::fs;
use std::path::PathBuf;

fn world() -> World {
    let world = World::new();
    world.listen();
    world.write("f", "f");
    world.local("web1", "", "");
    world
}

fn database(world: &World) -> PathBuf {
    world.at("root/var/lib/planb/history.db")
}

/// Backs up, which has to succeed and to say these words.
#[track_caller]
fn backs_up_and_says(world: &World, words: &[&str]) {
    let before = world.planb(&["snapshots", "--json", "web1"]).stdout.matches("\"name\"").count();
    let ran = world.good_run("web1");
    for word in words {
        assert!(ran.said(word), "{word:?} is not in {}", ran.stderr);
    }
    assert_eq!(world.planb(&["snapshots", "--json", "web1"]).stdout.matches("\"name\"").count(), before + 1);
    assert_eq!(world.last_heard().env["PLANB_RESULT"], "success");
}

#[test]
fn a_history_that_is_missing_is_begun_again() {
    let world = world();
    let first = world.good_run("web1");
    assert!(!first.said("history"), "the first of all is nothing to talk about: {}", first.stderr);
    world.good_run("web1");
    fs::remove_file(database(&world)).expect("removed");
    backs_up_and_says(&world, &["history.db was missing though filesets have run before"]);
    assert_eq!(world.last("web1")["result"], "success");
    assert!(!world.good_run("web1").said("history"), "and no more is said");
}

#[test]
fn a_damaged_history_is_kept_aside() {
    let world = world();
    world.good_run("web1");
    fs::write(database(&world), "this is no database, and never was\n".repeat(200)).expect("written");
    backs_up_and_says(&world, &["history.db was damaged", "it is kept as", ".corrupt-20260302T0302"]);
    let aside = fs::read_dir(world.at("root/var/lib/planb")).expect("listed");
    let aside: Vec<_> = aside
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.to_string_lossy().contains(".corrupt-"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(fs::read_to_string(&aside[0]).expect("read").starts_with("this is no database"));
    assert_eq!(world.last("web1")["result"], "success");
    // Found by somebody who only looks, it is the same.
    fs::write(database(&world), "neither is this".repeat(300)).expect("written");
    let listed = world.planb(&["list", "--json"]);
    assert_eq!(listed.code, 0);
    assert!(listed.said("was damaged") && listed.stdout.contains("\"web1\""), "{listed:?}");
}

#[test]
fn a_newer_history_is_left_alone_and_its_records_wait() {
    let world = world();
    world.good_run("web1");
    let set = |version: i64| {
        let database = rusqlite::Connection::open(database(&world)).expect("a database");
        database.pragma_update(None, "user_version", version).expect("written");
    };
    let version: i64 = rusqlite::Connection::open(database(&world))
        .and_then(|db| db.pragma_query_value(None, "user_version", |row| row.get(0)))
        .expect("read");
    set(99);
    backs_up_and_says(&world, &["its record waits as", "is at version 99"]);
    let asked = world.planb(&["history", "web1"]);
    assert_eq!(asked.code, 1);
    assert!(asked.said("version 99"), "{}", asked.stderr);
    let listed = world.planb(&["list", "--json"]);
    assert!(listed.code == 0 && listed.stdout.contains("\"success\""), "{listed:?}");
    set(version);
    backs_up_and_says(&world, &["1 record had waited and went into the history"]);
    assert_eq!(world.runs("web1").len(), 3);
}

#[test]
fn a_history_that_cannot_be_written_makes_records_wait() {
    if !is_root_for("a_history_that_cannot_be_written_makes_records_wait") {
        return;
    }
    let world = world();
    world.good_run("web1");
    let path = database(&world);
    run("mount", ["--bind".as_ref(), path.as_os_str(), path.as_os_str()]);
    let mounted = Unmount(path.clone());
    run("mount", ["-o".as_ref(), "remount,bind,ro".as_ref(), path.as_os_str()]);
    backs_up_and_says(&world, &["error: web1: the history did not take this run: its record waits as"]);
    assert_eq!(world.listed("web1")["last_result"], "success");
    let looked = world.planb(&["history", "web1"]);
    assert!(looked.said("waiting for the history in "), "{}", looked.stderr);
    drop(mounted);
    backs_up_and_says(&world, &["1 record had waited and went into the history"]);
    assert_eq!(world.runs("web1").len(), 3);
}

#[test]
fn a_full_state_directory_costs_no_backup() {
    if !is_root_for("a_full_state_directory_costs_no_backup") {
        return;
    }
    let world = world();
    let state = world.at("root/var/lib/planb");
    let _mount = Mount::tmpfs(&state, "size=256k,mode=755");
    world.good_run("web1");
    let balloon = state.join("balloon");
    // Written until nothing fits any more.
    let _ = fs::write(&balloon, vec![b'x'; 1 << 20]);
    backs_up_and_says(&world, &["error: web1: failed to keep the last run", "could be kept nowhere"]);
    fs::remove_file(balloon).expect("removed");
    backs_up_and_says(&world, &[]);
    assert_eq!(world.last("web1")["snapshot"], "planb-20260302T0303Z");
}

#[test]
fn a_read_only_state_directory_costs_no_backup() {
    if !is_root_for("a_read_only_state_directory_costs_no_backup") {
        return;
    }
    let world = world();
    world.good_run("web1");
    let state = world.at("root/var/lib/planb");
    run("mount", ["--bind".as_ref(), state.as_os_str(), state.as_os_str()]);
    let mounted = Unmount(state.clone());
    run("mount", ["-o".as_ref(), "remount,bind,ro".as_ref(), state.as_os_str()]);
    backs_up_and_says(&world, &["error: web1: failed to keep the last run", "could be kept nowhere"]);
    assert_eq!(world.planb(&["list"]).code, 0);
    drop(mounted);
    backs_up_and_says(&world, &[]);
}

/// A mount point, no longer one when this is dropped.
struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        run("umount", [&self.0]);
    }
}
