//! When runs do not begin: blacklist hours, and sources that ask to be left alone.

use crate::sshd::Sshd;
use crate::world::{BEGIN, Ran, World};
use std::fs;
use time::Duration;

/// A run as a timer would start it.
fn by_timer(world: &World, unit: &str) -> Ran {
    world.start_with(&["run", "web1"], &[("TRIGGER_UNIT", unit)]).wait()
}

#[test]
fn a_timer_does_not_start_a_backup_in_blacklist_hours_and_a_person_does() {
    let world = World::new();
    world.listen();
    world.write("f", "f");
    world.local("web1", "blacklist-hours = \"9-17\"\ntimezone = \"Europe/Amsterdam\"", "");
    world.set_clock(BEGIN + Duration::hours(9));
    let ran = by_timer(&world, "planb@web1.timer");
    let words = ["blacklist hours: not before 2026-03-02T17:00:00+01:00"];
    world.assert_came_to_nothing(&ran, "web1", 75, "deferred", &words);
    assert_eq!(
        (&world.last("web1")["trigger"], &*world.last_heard().env["PLANB_TRIGGER"]),
        (&"timer".into(), "timer")
    );
    assert!(ran.said("web1: deferred"), "{}", ran.stderr);
    assert!(!world.at("backups/web1").exists());
    assert_eq!(world.planb(&["run", "web1"]).code, 0, "a person means now");
    assert_eq!(world.last("web1")["trigger"], "manual");
    // And so when the hours are over, to the minute.
    world.set_clock(BEGIN + Duration::hours(13));
    assert_eq!(by_timer(&world, "planb@web1.timer").code, 0);
    assert_eq!(world.last("web1")["trigger"], "timer");
}

#[test]
fn deferred_for_longer_than_two_periods_is_a_failure() {
    let world = World::new();
    world.listen();
    world.write("f", "f");
    world.local("web1", "schedule = \"daily\"\nblacklist-hours = \"9-17\"", "");
    world.set_clock(BEGIN + Duration::hours(8));
    world.good_run("web1");
    for days in [0, 1] {
        world.set_clock(BEGIN + Duration::hours(10) + Duration::days(days));
        assert_eq!(by_timer(&world, "planb@web1.timer").code, 75);
        assert!(world.listed("web1")["first_failure"].is_null());
    }
    world.set_clock(BEGIN + Duration::hours(10) + Duration::days(2));
    let ran = by_timer(&world, "planb@web1.timer");
    world.assert_came_to_nothing(
        &ran,
        "web1",
        1,
        "failure",
        &["deferred again, and no success since", "blacklist hours"],
    );
    assert!(world.listed("web1")["first_failure"].is_string());
    assert_eq!(world.last_heard().env["PLANB_FIRST_FAILURE"], world.last_heard().env["PLANB_STARTED"]);
    assert_eq!(world.snapshots("web1").len(), 1);
}

#[test]
fn a_source_that_asks_to_be_left_alone_is() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.listen();
    world.write("f", "f");
    // The directory is a fixed one of the source: a private one stands in its place.
    let state = tempfile::tempdir().expect("a directory");
    sshd.force(&format!(
        "exec sh -c \"$(printf %s \"$SSH_ORIGINAL_COMMAND\" | sed 's,/var/lib/planb,{},g')\"",
        state.path().display()
    ));
    world.over(&sshd, "web1", "", "do-not-run = true");
    world.good_run("web1");
    fs::create_dir_all(state.path().join("do-not-run.d")).expect("directories");
    fs::write(state.path().join("do-not-run.d/upgrade"), "").expect("written");
    let ran = world.run("web1");
    world.assert_came_to_nothing(
        &ran,
        "web1",
        75,
        "deferred",
        &["127.0.0.1 does not want to be backed up now", "upgrade"],
    );
    assert_eq!(world.snapshots("web1").len(), 1);
    fs::remove_file(state.path().join("do-not-run.d/upgrade")).expect("removed");
    world.good_run("web1");
}
