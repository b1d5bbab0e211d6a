//! Everything that goes wrong out there, made for real; and after each: snapshots, record, hook, exit code.

use crate::sshd::Sshd;
use crate::stopping::noise;
use crate::world::{Mount, World, chmod, is_root_for, wait_for};
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;

const SLOW: &str = "bwlimit = \"1M\"";

/// A fileset whose first file takes some seconds.
fn slow(world: &World, rsync: &str) -> Sshd {
    let sshd = Sshd::start();
    world.listen();
    world.write("0 big", noise(3_000_000, 1));
    world.over(&sshd, "web1", "", &format!("{SLOW}\n{rsync}"));
    sshd
}

#[test]
fn a_connection_that_breaks_is_a_failure_and_the_next_run_goes_on() {
    let world = World::new();
    let sshd = slow(&world, "");
    let running = world.start(&["run", "web1"]);
    world.wait_until_received("web1", 600_000);
    sshd.signal(Signal::SIGKILL);
    world.assert_came_to_nothing(&running.wait(), "web1", 1, "failure", &["connection"]);
    assert!(world.snapshots("web1").is_empty());
    assert!(world.listed("web1")["first_failure"].is_string());
    world.over(&sshd, "web1", "", "");
    assert!(world.good_run("web1").said("going on with"));
    assert!(world.last("web1")["bytes_transferred"].as_u64().is_some_and(|bytes| bytes < 2_700_000));
    let heard = world.last_heard();
    assert_ne!(heard.env["PLANB_FIRST_FAILURE"], "", "the end of a streak is known as such");
    assert!(world.listed("web1")["first_failure"].is_null());
}

#[test]
fn a_connection_that_stalls_is_a_failure() {
    let world = World::new();
    let sshd = slow(&world, "stall-timeout = \"10s\"");
    let running = world.start(&["run", "web1"]);
    world.wait_until_received("web1", 600_000);
    sshd.signal(Signal::SIGSTOP);
    world.assert_came_to_nothing(&running.wait(), "web1", 1, "failure", &["stall-timeout"]);
    assert!(world.snapshots("web1").is_empty());
}

#[test]
fn a_source_that_cannot_be_reached_or_is_not_who_it_was_is_a_failure() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.listen();
    world.write("f", "f");
    world.over(&sshd, "web1", "", "");
    world.good_run("web1");
    sshd.change_host_key("ecdsa");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["known_hosts.d/127.0.0.1"]);
    assert_eq!(world.snapshots("web1").len(), 1);

    let (world, sshd) = (World::new(), Sshd::start());
    world.listen();
    world.over(&sshd, "web1", "", "");
    sshd.let_nobody_in();
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["does not let ", "authorized_keys"]);
    let port = sshd.port();
    drop(sshd);
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["refused", &port.to_string()]);
}

#[test]
fn a_full_storage_is_a_failure_and_history_stays() {
    if !is_root_for("a_full_storage_is_a_failure_and_history_stays") {
        return;
    }
    let world = World::new();
    let _mount = Mount::tmpfs(&world.at("backups"), "size=3m,mode=700");
    world.listen();
    world.write("small", "small");
    world.local("web1", "[guard]\nmin-free = \"none\"", "");
    world.good_run("web1");
    world.write("big", noise(6_000_000, 1));
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["the backup storage is full"]);
    assert_eq!(world.snapshots("web1"), ["planb-20260302T0301Z"]);
    assert_eq!(fs::read_to_string(world.newest("web1").join("small")).expect("there"), "small");
    // As soon as there is room again, it goes on by itself.
    fs::remove_file(world.source().join("big")).expect("removed");
    world.good_run("web1");
    assert_eq!(world.snapshots("web1").len(), 2);
}

#[test]
fn a_storage_without_inodes_is_a_failure() {
    if !is_root_for("a_storage_without_inodes_is_a_failure") {
        return;
    }
    let world = World::new();
    let _mount = Mount::tmpfs(&world.at("backups"), "nr_inodes=12,mode=700");
    world.listen();
    for n in 0..30 {
        world.write(n.to_string(), "x");
    }
    world.local("web1", "[guard]\nmin-free = \"none\"", "");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["No space left"]);
    assert!(world.snapshots("web1").is_empty());
    // The guard sees it coming.
    world.local("web1", "", "");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["min-free"]);
}

#[test]
fn a_storage_that_is_not_there_is_never_made() {
    let world = World::new();
    world.listen();
    world.local("web1", "", "");
    fs::remove_dir(world.at("backups")).expect("empty");
    let ran = world.run("web1");
    world_without_a_storage(&world, &ran);
    assert!(!world.at("backups").exists());
}

fn world_without_a_storage(world: &World, ran: &crate::world::Ran) {
    world.assert_came_to_nothing(ran, "web1", 1, "failure", &["is not there: mount the disk"]);
    let listed = world.planb(&["snapshots", "web1"]);
    assert_eq!(listed.code, 1, "an empty list would say that there are none");
    assert!(listed.said("is not there"), "{}", listed.stderr);
}

#[test]
fn files_that_vanish_defer_the_run_or_are_accepted() {
    for (vanished, code) in [("retry", 75), ("accept", 0)] {
        let world = World::new();
        let _sshd = slow(&world, &format!("vanished = {vanished:?}"));
        world.write("1 fleeting", "x");
        let running = world.start(&["run", "web1"]);
        world.wait_until_received("web1", 100_000);
        fs::remove_file(world.source().join("1 fleeting")).expect("it was there");
        let ran = running.wait();
        if code == 75 {
            world.assert_came_to_nothing(&ran, "web1", 75, "deferred", &["1 fleeting"]);
            assert_eq!(world.last("web1")["exit_code"], 24);
            assert!(world.snapshots("web1").is_empty());
            assert!(world.listed("web1")["first_failure"].is_null(), "a deferral is no failure");
        } else {
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(world.newest("web1").join("0 big").exists());
            assert_eq!(world.last_heard().env["PLANB_RESULT"], "success");
        }
    }
}

#[test]
fn a_file_that_grows_is_backed_up_as_it_was_at_some_moment() {
    let world = World::new();
    let _sshd = slow(&world, "");
    let running = world.start(&["run", "web1"]);
    world.wait_until_received("web1", 100_000);
    let mut file = File::options().append(true).open(world.source().join("0 big")).expect("there");
    file.write_all(b"more").expect("written");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let came = fs::read(world.newest("web1").join("0 big")).expect("there");
    assert!(came.len() >= 3_000_000 && came[..3_000_000] == noise(3_000_000, 1)[..], "{}", came.len());
    assert_eq!(world.last_heard().env["PLANB_RESULT"], "success");
}

#[test]
fn directories_that_cannot_be_read_are_a_failure_that_names_them_and_take_nothing_away() {
    let name = "directories_that_cannot_be_read_are_a_failure_that_names_them_and_take_nothing_away";
    if !is_root_for(name) {
        return;
    }
    let (world, sshd) = (World::new(), Sshd::start());
    world.listen();
    world.write("open/f", "f");
    world.write("closed/g", "g");
    chmod(world.at(""), 0o755);
    chmod(world.source(), 0o755);
    sshd.force("exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c \"$SSH_ORIGINAL_COMMAND\"");
    world.over(&sshd, "web1", "", "");
    world.good_run("web1");
    chmod(world.source().join("closed"), 0o700);
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["closed", "Permission denied"]);
    assert_eq!(world.last("web1")["exit_code"], 23);
    assert_eq!(world.snapshots("web1").len(), 1);
    assert_eq!(fs::read_to_string(world.newest("web1").join("closed/g")).expect("there"), "g");
}

#[test]
fn a_link_in_a_directorys_place_leads_nobody_astray() {
    for metadata in ["full", "basic"] {
        let world = World::new();
        world.listen();
        let outside = world.at("outside");
        fs::create_dir(&outside).expect("a directory");
        fs::write(outside.join("f"), "outside").expect("written");
        let d = world.source().join("d");
        let rsync = format!("metadata = {metadata:?}");
        let untouched = |when: &str| {
            let names: Vec<_> =
                fs::read_dir(&outside).expect("listed").map(|e| e.expect("an entry").file_name()).collect();
            assert_eq!(names, ["f"], "{when}");
            assert_eq!(fs::read_to_string(outside.join("f")).expect("there"), "outside", "{when}");
        };

        // Between two runs: there, and back.
        let guard = "[guard]\nmax-shrink = \"none\"";
        world.local("web1", guard, &rsync);
        world.write("d/f", "inside");
        world.good_run("web1");
        fs::remove_dir_all(&d).expect("removed");
        symlink(&outside, &d).expect("linked");
        world.good_run("web1");
        untouched("a link in the source");
        assert!(!world.newest("web1").join("d").is_dir() || metadata == "basic");
        assert!(world.newest("web1").join("d").symlink_metadata().is_ok_and(|d| !d.is_dir()));
        fs::remove_file(&d).expect("removed");
        world.write("d/f", "inside again");
        world.good_run("web1");
        untouched("a directory in a link's place");
        let kept = world.snapshots("web1");
        let read = |n: usize| fs::read_to_string(world.data("web1", &kept[n]).join("d/f")).expect("there");
        assert_eq!((read(0), read(2)), ("inside".into(), "inside again".into()));

        // In what an interrupted run left behind.
        let sshd = slow(&world, &rsync);
        fs::remove_dir_all(&d).expect("removed");
        symlink(&outside, &d).expect("linked");
        world.write("z big", noise(1_500_000, 2));
        world.over(&sshd, "web1", guard, &format!("{SLOW}\n{rsync}"));
        world.later(time::Duration::MINUTE);
        let running = world.start(&["run", "web1"]);
        wait_for("the link", || world.at("backups/web1/.new/data/d").symlink_metadata().is_ok());
        running.signal(Signal::SIGINT);
        assert_eq!(running.wait().code, 1);
        fs::remove_file(&d).expect("removed");
        world.write("d/f", "inside once more");
        world.over(&sshd, "web1", guard, &rsync);
        world.good_run("web1");
        untouched("a link in an unfinished tree");
        assert_eq!(fs::read_to_string(world.newest("web1").join("d/f")).expect("there"), "inside once more");

        // While a run goes on.
        fs::write(world.source().join("0 big"), noise(1_000_000, 3)).expect("written");
        world.write("e/f", "inside");
        world.over(&sshd, "web1", guard, &format!("{SLOW}\n{rsync}\nvanished = \"accept\""));
        world.later(time::Duration::MINUTE);
        let running = world.start(&["run", "web1"]);
        wait_for("the transfer", || world.received("web1") > 100_000);
        let e = world.source().join("e");
        fs::remove_dir_all(&e).expect("removed");
        symlink(&outside, &e).expect("linked");
        let ran = running.wait();
        untouched("a link while a run goes on");
        assert!([0, 1, 75].contains(&ran.code), "{}", ran.stderr);
        assert_eq!(world.last_heard().env["PLANB_RESULT"] == "success", ran.code == 0);
        world.over(&sshd, "web1", guard, &rsync);
        world.good_run("web1");
        assert!(world.newest("web1").join("e").symlink_metadata().is_ok_and(|e| !e.is_dir()));
        untouched("at the end");
    }
}
