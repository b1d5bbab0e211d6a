//! Hooks, as the administrator's programs see them.

use crate::sshd::executable;
use crate::world::{World, wait_for};
use std::fs;
use std::os::unix::fs::symlink;
use time::{Duration, OffsetDateTime};

fn world() -> World {
    let world = World::with("[group.acme]\n");
    world.write("f", "four");
    world.local("web1", "group = \"acme\"\ntags = [\"a\", \"b\"]", "");
    world
}

#[test]
fn hooks_run_by_name_and_what_stands_in_etc_stands_for_the_name() {
    let world = world();
    let vendor = world.at("root/usr/lib/planb/post-backup.d");
    fs::create_dir_all(&vendor).expect("directories");
    for (name, script) in
        [("20-both", "echo vendor"), ("30-vendor", "echo vendor"), ("40-masked", "echo masked")]
    {
        executable(&vendor.join(name), &format!("#!/bin/sh\n{script} {name}\n"));
    }
    world.hook("90-last", "echo etc 90-last");
    world.hook("10-first", "echo etc 10-first >&2; exit 3");
    world.hook("20-both", "echo etc 20-both");
    let etc = world.at("root/etc/planb/post-backup.d");
    symlink("/dev/null", etc.join("40-masked")).expect("linked");
    fs::write(etc.join("50-not-executable"), "#!/bin/sh\necho no\n").expect("written");
    fs::write(etc.join("60-editors-leftover~"), "").expect("written");

    let ran = world.good_run("web1");
    let said: Vec<&str> = ran
        .stderr
        .lines()
        .filter_map(|line| line.split(": ").nth(3))
        .filter(|line| line.starts_with("etc") || line.starts_with("vendor"))
        .collect();
    assert_eq!(said, ["etc 10-first", "etc 20-both", "vendor 30-vendor", "etc 90-last"], "{}", ran.stderr);
    assert!(ran.said("warning: web1: hook 10-first exited with 3"), "{}", ran.stderr);
    assert!(ran.said("50-not-executable is not executable") && !ran.said("leftover"), "{}", ran.stderr);
    // Whatever they do, the run has been what it was.
    assert_eq!(world.last("web1")["result"], "success");
}

#[test]
fn a_hook_has_the_whole_environment_of_the_manual_and_no_more() {
    let world = world();
    world.listen();
    world.good_run("web1");
    let heard = world.last_heard();
    let mut names: Vec<&str> = heard
        .env
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "_" && *name != "PWD" && *name != "SHLVL" && *name != "OLDPWD")
        .collect();
    names.sort_unstable();
    let mut wanted = vec!["LC_ALL", "PATH"];
    wanted.extend([
        "PLANB_BYTES_TRANSFERRED",
        "PLANB_DATASET",
        "PLANB_DURATION",
        "PLANB_ERROR",
        "PLANB_FILESET",
        "PLANB_FILES_TRANSFERRED",
        "PLANB_FINISHED",
        "PLANB_FIRST_FAILURE",
        "PLANB_GROUP",
        "PLANB_LAST_SUCCESS",
        "PLANB_PATH",
        "PLANB_RESULT",
        "PLANB_RUN_ID",
        "PLANB_SIZE",
        "PLANB_SNAPSHOT",
        "PLANB_STARTED",
        "PLANB_TAGS",
        "PLANB_TRIGGER",
    ]);
    assert_eq!(names, wanted);
    let env = |name: &str| heard.env[&format!("PLANB_{name}")].as_str();
    let record = world.last("web1");
    assert_eq!((env("FILESET"), env("GROUP"), env("TAGS"), env("DATASET")), ("web1", "acme", "a b", "web1"));
    assert_eq!((env("RESULT"), env("ERROR"), env("TRIGGER")), ("success", "", "manual"));
    assert_eq!((env("SNAPSHOT"), env("SIZE"), env("FILES_TRANSFERRED")), ("planb-20260302T0301Z", "4", "1"));
    assert_eq!(env("PATH"), world.newest("web1").to_str().expect("utf-8"));
    assert_eq!(env("RUN_ID"), record["id"]);
    assert_eq!(env("BYTES_TRANSFERRED"), record["bytes_transferred"].to_string());
    let began: i64 = env("STARTED").parse().expect("seconds");
    let began_at = OffsetDateTime::from_unix_timestamp(began).expect("a time") - crate::world::BEGIN;
    assert!(began_at >= Duration::MINUTE && began_at < Duration::MINUTE * 2, "{began_at}");
    assert!(
        env("FINISHED").parse::<i64>().is_ok_and(|end| end >= began)
            && env("DURATION").parse::<u64>().is_ok()
    );
    assert_eq!((env("LAST_SUCCESS"), env("FIRST_FAILURE")), (env("FINISHED"), ""));
    assert_eq!(heard.run, record);
}

#[test]
fn a_failure_and_its_end_are_told_as_such() {
    let world = world();
    world.listen();
    world.good_run("web1");
    let succeeded = world.last_heard().env["PLANB_FINISHED"].clone();
    fs::rename(world.source(), world.at("away")).expect("moved");
    for _ in 0..2 {
        let ran = world.run("web1");
        world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["source"]);
    }
    let heard = world.heard();
    let began = &heard[1].env["PLANB_STARTED"];
    for failed in &heard[1..] {
        assert_eq!(
            (&failed.env["PLANB_FIRST_FAILURE"], &failed.env["PLANB_LAST_SUCCESS"]),
            (began, &succeeded)
        );
        assert_eq!((&*failed.env["PLANB_BYTES_TRANSFERRED"], &*failed.env["PLANB_PATH"]), ("", ""));
    }
    fs::rename(world.at("away"), world.source()).expect("moved back");
    world.good_run("web1");
    assert_eq!(&world.last_heard().env["PLANB_FIRST_FAILURE"], began, "the end of a streak");
    world.good_run("web1");
    assert_eq!(world.last_heard().env["PLANB_FIRST_FAILURE"], "");
}

#[test]
fn a_hook_that_hangs_holds_up_no_backup() {
    let world = world();
    let (hangs, go) = (world.at("hangs"), world.at("go"));
    let quoted = |path: &std::path::Path| path.to_str().expect("utf-8").replace('\'', r"'\''");
    // Its own end, after a minute, is tried where the minute is shorter.
    let (hangs_at, go_at) = (quoted(&hangs), quoted(&go));
    world.hook(
        "50-hangs",
        &format!("[ -e '{go_at}' ] && exit 0\n>'{hangs_at}'\nuntil [ -e '{go_at}' ]; do sleep 0.02; done"),
    );
    world.later(Duration::MINUTE);
    let first = world.start(&["run", "web1"]);
    wait_for("the hook", || hangs.exists());
    let listed = world.listed("web1");
    assert_eq!((&listed["state"], &listed["last_result"]), (&"idle".into(), &"success".into()));
    fs::remove_file(&hangs).expect("removed");
    world.later(Duration::MINUTE);
    let second = world.start(&["run", "web1"]);
    wait_for("the hook of another run", || hangs.exists());
    assert_eq!(world.snapshots("web1").len(), 2);
    fs::write(go, "").expect("written");
    assert_eq!((first.wait().code, second.wait().code), (0, 0));
}
