//! Programs of the administrator's as transport; those that make their own snapshots are tried on a pool (tests/zfs).

use crate::sshd::executable;
use crate::world::{World, quoted, wait_for};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;

/// A fileset whose program is this script.
fn exec(world: &World, fileset: &str, table: &str, script: &str) {
    let program = world.at("my transfer");
    executable(&program, &format!("#!/bin/sh -eu\n{script}\n"));
    let program = quoted(&program);
    world.drop_in(
        "web1",
        &format!("{fileset}\n[exec]\ncommand = [{program}, \"an argument\", \"$(id)\"]\n{table}"),
    );
}

fn world() -> World {
    let world = World::new();
    world.listen();
    world
}

#[test]
fn a_program_fills_the_workspace_and_what_it_leaves_is_the_snapshot() {
    let world = world();
    exec(
        &world,
        "",
        "",
        "echo \"$1|$2\" >arguments; mkdir sub; echo x >\"$PLANB_WORKSPACE/sub/x\"; cat; ls -l /proc/self/fd/0",
    );
    let ran = world.good_run("web1");
    let newest = world.newest("web1");
    assert_eq!(fs::read_to_string(newest.join("arguments")).expect("there"), "an argument|$(id)\n");
    assert_eq!(fs::read_to_string(newest.join("sub/x")).expect("there"), "x\n");
    let lock = world.at("root/run/planb/lock/web1");
    assert!(ran.said(lock.to_str().expect("utf-8")), "its input is the fileset's lock: {}", ran.stderr);
    // What it did not report was counted: the tree, sub, two files.
    let last = world.last("web1");
    assert_eq!((&last["files_total"], &last["bytes_total"]), (&4.into(), &20.into()), "{last:#}");
    assert!(last["files_transferred"].is_null() && last["bytes_transferred"].is_null(), "{last:#}");
    let listed = world.listed("web1");
    assert_eq!((&listed["transport"], &listed["size_bytes"]), (&"exec".into(), &20.into()));
    assert_eq!(listed["source"], world.at("my transfer").to_str().expect("utf-8"));
    assert_eq!(world.last_heard().env["PLANB_BYTES_TRANSFERRED"], "");
}

#[test]
fn the_environment_is_that_of_the_run_and_the_one_that_old_scripts_know() {
    let world = world();
    let seen = world.at("seen");
    let script = format!("env >'{}'; echo x >x", seen.display());
    exec(&world, "tags = [\"a\", \"b\"]", "", &script);
    world.good_run("web1");
    let env = |text: String| -> BTreeMap<String, String> {
        text.lines().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.into(), v.into())).collect()
    };
    let first = env(fs::read_to_string(&seen).expect("written"));
    let names: Vec<&str> = first.keys().map(String::as_str).filter(|name| *name != "_").collect();
    assert_eq!(
        names,
        [
            "HOME",
            "LC_ALL",
            "PATH",
            "PLANB_DATASET",
            "PLANB_FILESET",
            "PLANB_GROUP",
            "PLANB_REFERENCE",
            "PLANB_RUN_ID",
            "PLANB_SNAPSHOT",
            "PLANB_STARTED",
            "PLANB_TAGS",
            "PLANB_TRIGGER",
            "PLANB_WORKSPACE",
            "PLANB_WRITES",
            "PWD",
            "SHELL",
            "planb_fileset_friendly_name",
            "planb_fileset_id",
            "planb_guid",
            "planb_snapshot_target",
            "planb_storage_destination",
            "planb_storage_name",
        ]
    );
    assert_eq!(
        (&*first["PLANB_FILESET"], &*first["PLANB_TAGS"], &*first["PLANB_TRIGGER"]),
        ("web1", "a b", "manual")
    );
    assert_eq!((&*first["PLANB_WRITES"], &*first["PLANB_REFERENCE"]), ("linked", ""));
    assert_eq!(first["PWD"], first["PLANB_WORKSPACE"]);
    assert_eq!(first["planb_storage_destination"], first["PLANB_WORKSPACE"]);
    assert_eq!(first["planb_storage_name"], world.at("backups/web1").to_str().expect("utf-8"));
    assert_eq!(first["planb_fileset_friendly_name"], "web1");
    assert_eq!(first["planb_snapshot_target"], world.snapshots("web1")[0]);
    assert_eq!(first["PLANB_RUN_ID"], world.last("web1")["id"].as_str().expect("an id"));
    world.good_run("web1");
    let second = env(fs::read_to_string(&seen).expect("written"));
    assert_eq!(second["planb_guid"], first["planb_guid"]);
    assert!(
        second["PLANB_REFERENCE"].ends_with(&format!("{}/data", world.snapshots("web1")[0])),
        "{second:?}"
    );
}

#[test]
fn what_is_reported_is_believed_and_guarded() {
    let world = world();
    let script = |files: u32| {
        format!(
            "echo x >x; printf '%s\\n' 'total-files {files}' 'total-bytes 5000' 'files 3' 'bytes 77' \
             'progress 50%' 'once upon a time' >&3"
        )
    };
    exec(&world, "", "", &script(100));
    let ran = world.good_run("web1");
    assert!(ran.said("not understood on descriptor 3: once upon a time"), "{}", ran.stderr);
    let last = world.last("web1");
    for (field, value) in
        [("files_total", 100), ("bytes_total", 5000), ("files_transferred", 3), ("bytes_transferred", 77)]
    {
        assert_eq!(last[field], value, "{field}");
    }
    exec(&world, "", "", &script(49));
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["lost 51% of its files", "--accept-shrink"]);
}

#[test]
fn a_silent_program_that_leaves_an_empty_workspace_is_guarded_too() {
    let world = world();
    exec(&world, "", "", "head -c 1000 /dev/zero >x");
    world.good_run("web1");
    exec(&world, "", "", "exit 0");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["lost 100% of its bytes"]);
}

#[test]
fn seventy_five_defers_and_everything_else_fails_with_its_last_words() {
    let world = world();
    exec(&world, "", "", "echo progress is good; echo 'the moon is not full' >&2; exit 75");
    let ran = world.run("web1");
    let words = ["asks to be called later (exit code 75)", "the moon is not full"];
    world.assert_came_to_nothing(&ran, "web1", 75, "deferred", &words);
    exec(&world, "", "", "echo x >x; echo 'no such moon' >&2; exit 7");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["exited with 7: it said: no such moon"]);
    assert_eq!(world.last("web1")["exit_code"], 7);
    exec(&world, "", "", "kill -9 $$");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["SIGKILL", "it did not say why"]);
    assert!(world.snapshots("web1").is_empty());
    fs::remove_file(world.at("my transfer")).expect("removed");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["my transfer", "is not installed"]);
}

#[test]
fn a_stopped_program_is_gone_with_all_that_it_started() {
    let world = world();
    let ready = world.at("ready");
    exec(&world, "", "", &format!("sleep 1000 & echo $! >'{}'; wait", ready.display()));
    let running = world.start(&["run", "web1"]);
    let mut pid = String::new();
    wait_for("the program", || {
        pid = fs::read_to_string(&ready).unwrap_or_default();
        pid.ends_with('\n')
    });
    running.signal(Signal::SIGTERM);
    let ran = running.wait();
    world.assert_came_to_nothing(&ran, "web1", 1, "interrupted", &["stopped on request"]);
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse().expect("a pid"));
    assert_eq!(crate::world::Process::of(pid), None);
}

#[test]
fn there_is_no_dry_run_of_a_program() {
    let world = world();
    exec(&world, "", "", "echo x >x");
    let ran = world.planb(&["run", "--dry-run", "web1"]);
    assert!(ran.code == 1 && ran.said("there is no dry run of it"), "{ran:?}");
}
