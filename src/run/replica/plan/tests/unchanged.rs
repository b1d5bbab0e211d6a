//! Datasets that did not change since.

use super::*;

/// What is asked about, as the child and the GUID of what it has not changed since.
fn asked(world: &World) -> Vec<String> {
    world.plan().likely.iter().map(|likely| format!("{} {}", likely.child, likely.guid)).collect()
}

/// The same, with the newest here made here, of nothing new.
fn repeating(world: World) -> World {
    world.but(|copied| copied.snapshots.last_mut().expect("one").is_repeat = true)
}

#[test]
fn what_did_not_change_is_asked_about_and_then_repeated() {
    let mut world = World::new().source("data", 0, &[1, 2, 3], &[]).here("data", &[1, 2]);
    assert_eq!(asked(&world), ["data 2"]);
    // A listing is no proof.
    assert_eq!(world.steps(), ["data on @2 -> 1000"]);
    world.same = Some(2);
    assert_eq!((world.steps(), asked(&world)), (vec!["repeat data".to_owned()], Vec::new()));
    // The source's word is of one snapshot and no other.
    world.same = Some(1);
    assert_eq!(world.steps(), ["data on @2 -> 1000"]);
}

#[test]
fn all_are_repeated_at_once_when_each_is_where_it_belongs() {
    let world =
        World::new().source("a", 0, &[1], &[]).source("b", 10, &[1], &[]).source("new", 20, &[2], &[]);
    let mut world = world.here("a", &[1]).here("b", &[1]).here("old", &[2]);
    world.same = Some(1);
    assert_eq!(world.steps(), ["rename old new", "new on @2 -> 1020", "repeat a b"]);
}

#[test]
fn what_seems_to_have_changed_is_not_asked_about() {
    let mut world = World::new().source("data", 0, &[1, 2], &[]).here("data", &[1]);
    assert_eq!(asked(&world), ["data 1"]);
    world.source[0].snapshots[1].written = 512;
    assert_eq!(asked(&world), [""; 0]);
    world.source[0].snapshots[1].written = 0;
    // What was written before it does not matter.
    world.source[0].snapshots[0].written = 512;
    assert_eq!(asked(&world), ["data 1"]);
}

#[test]
fn what_is_in_doubt_is_sent() {
    // Only a bookmark is left of it.
    let mut world = World::new().source("data", 0, &[], &[1]).here("data", &[1]);
    assert_eq!(asked(&world), [""; 0]);
    // It is none of ours.
    world = World::new().source("data", 0, &[1], &[]).here("data", &[1]);
    world.source[0].snapshots[0].name = "auto".parse().expect("a name");
    assert_eq!(asked(&world), [""; 0]);
    // Half of another is in the way.
    world = World::new().source("data", 0, &[1, 2], &[]).here("data", &[1]).half(2);
    world.same = Some(2);
    assert_eq!(asked(&world), [""; 0]);
    assert_eq!(world.steps().last().map(String::as_str), Some("data on @2 -> 1000"));
}

#[test]
fn what_comes_raw_always_comes() {
    let mut world = World::new().source("data", 0, &[1], &[]).encrypted(false).here("data", &[1]);
    world.here[0].is_raw = true;
    world.same = Some(1);
    assert_eq!((world.steps(), asked(&world)), (vec!["data on @1 -> 1000 raw".to_owned()], Vec::new()));
    // Decrypted, or not encrypted and sent as it lies there, it is as any other.
    let mut world = World::new().source("data", 0, &[1], &[]).encrypted(true).here("data", &[1]);
    (world.same, world.raw) = (Some(1), Some(false));
    assert_eq!(world.steps(), ["repeat data"]);
    let mut world = World::new().source("data", 0, &[1], &[]).here("data", &[1]);
    (world.same, world.raw) = (Some(1), Some(true));
    assert_eq!(world.steps(), ["repeat data"]);
}

#[test]
fn what_changed_comes_on_top_of_repeats() {
    let mut world = repeating(World::new().source("data", 0, &[1, 2], &[]).here("data", &[1, 7]));
    assert_eq!(world.steps(), ["data on @1 -> 1000"]);
    assert_eq!(world.plan().notices, [""; 0]);
    world.same = Some(1);
    assert_eq!(world.steps(), ["repeat data"]);
    // Under another name, too.
    let world = repeating(World::new().source("new", 0, &[1, 2], &[]).here("old", &[1, 7]));
    assert_eq!(world.steps(), ["rename old new", "new on @1 -> 1000"]);
    // One that is there already is not made again.
    let mut world = repeating(World::new().source("data", 0, &[1], &[]).here("data", &[1, 5]));
    world.same = Some(1);
    assert_eq!(world.here[0].snapshots[1].name, "planb-20260105T0000Z");
    assert_eq!(world.steps(), [""; 0]);
}

#[test]
fn a_source_that_went_back_behind_what_was_repeated_keeps_that_aside() {
    let world = repeating(World::new().source("data", 0, &[1], &[]).here("data", &[1, 2, 7]));
    let aside = format!("data.before-{STAMP}");
    assert_eq!(
        world.steps(),
        [
            format!("rename data {aside}"),
            format!("branch {aside}@planb-20260101T0000Z data"),
            "promote data".into(),
            "data on @1 -> 1000".into()
        ]
    );
    // And where it went back to is what it is now, that is what is there.
    let mut world = world;
    world.same = Some(1);
    assert_eq!(world.steps()[3], "repeat data");
}
