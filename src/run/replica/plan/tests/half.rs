//! Half a snapshot that an earlier run left.

use super::*;

#[test]
fn half_a_snapshot_is_gone_on_with_as_long_as_the_source_has_it() {
    let world = World::new().source("data", 0, &[3, 4], &[]).here("data", &[3]).half(4);
    let rest = format!("data rest -> 4 as {}", ours(4));
    assert_eq!(world.steps(), [rest.as_str(), "data on @4 -> 1000"]);
    // The very snapshot of this run: as after a connection that broke.
    let world = World::new().source("data", 0, &[3], &[]).here("data", &[3]).half(1000);
    assert_eq!(world.steps(), ["data rest -> 1000"]);
    // The first.
    let world = World::new().source("data", 0, &[4], &[]).here("data", &[]).half(4);
    assert_eq!(world.steps(), [rest.as_str(), "data on @4 -> 1000"]);
}

#[test]
fn half_of_what_another_backup_host_made_is_gone_on_with_under_a_name_as_no_other() {
    let mut world = World::new().source("data", 0, &[3, 4], &[]).here("data", &[3]).half(4);
    world.source[0].snapshots[1].name = "planb-20260101T0003Z".parse().expect("a name");
    let rest = format!("data rest -> 4 as planb-20260101T000300Z-{COPY}");
    assert_eq!(world.steps()[0], rest);
}

#[test]
fn half_a_snapshot_that_the_source_has_no_more_is_forgotten() {
    let world = World::new().source("data", 0, &[3], &[]).here("data", &[3]).half(4);
    assert_eq!(world.steps(), ["abandon data", "data on @3 -> 1000"]);
    let world = World::new().source("data", 0, &[3], &[]).here("data", &[]).half(4);
    assert_eq!(world.steps(), ["abandon data", "new data full -> 1000"]);
    let mut world = World::new().source("data", 0, &[3, 4], &[]).here("data", &[3]).half(4);
    world.spurned.partials.insert(child("data"));
    assert_eq!(world.steps(), ["abandon data", "data on @3 -> 1000"]);
    // One that is called as no backup is: none of ours asked for it.
    let mut world = World::new().source("data", 0, &[3, 4], &[]).here("data", &[3]).half(4);
    world.source[0].snapshots[1].name = "daily".parse().expect("a name");
    assert_eq!(world.steps(), ["abandon data", "data on @3 -> 1000"]);
}
