//! The guard: what a source has become is looked at before it becomes history.

use crate::stopping::noise;
use crate::world::World;

/// A source of ten files with four snapshots behind it, of which retention would destroy some at the next run.
fn world(guard: &str) -> World {
    let world = World::new();
    world.listen();
    for n in 0..10 {
        world.write(format!("f{n}"), noise(1000, n));
    }
    world.local("web1", &format!("[guard]\n{guard}"), "");
    for _ in 0..4 {
        world.good_run("web1");
    }
    world.local("web1", &format!("retain = \"1h\"\n[guard]\n{guard}"), "");
    world
}

fn lose(world: &World, files: std::ops::Range<u64>) {
    for n in files {
        std::fs::remove_file(world.source().join(format!("f{n}"))).expect("it was there");
    }
}

#[test]
fn a_source_that_lost_too_much_is_not_backed_up_until_a_person_says_so() {
    let world = world("max-shrink = \"40%\"");
    let before = world.snapshots("web1");
    lose(&world, 0..5);
    for _ in 0..2 {
        let ran = world.run("web1");
        let words = ["lost 50% of its bytes", "max-shrink = \"40%\"", "planb run web1 --accept-shrink"];
        world.assert_came_to_nothing(&ran, "web1", 1, "failure", &words);
        assert_eq!(world.snapshots("web1"), before, "nothing made, nothing pruned");
        // What was transferred is known, though it came to nothing.
        assert_eq!(world.last("web1")["bytes_total"], 5000);
    }
    world.later(time::Duration::MINUTE);
    let ran = world.planb(&["run", "--accept-shrink", "web1"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(world.snapshots("web1").len() < before.len(), "and retention applies again");
    // From now on it is measured by what it has become; and once is once.
    world.good_run("web1");
    lose(&world, 5..8);
    assert_eq!(world.run("web1").code, 1);
}

#[test]
fn a_loss_within_the_limit_is_none() {
    let world = world("max-shrink = \"50%\"");
    lose(&world, 0..5);
    world.good_run("web1");
}

#[test]
fn a_source_that_is_empty_is_refused_where_nobody_says_otherwise() {
    let world = world("");
    lose(&world, 0..10);
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["lost 100% of its bytes"]);
    assert!(world.newest("web1").join("f0").exists());
}

#[test]
fn a_storage_with_too_little_room_is_left_alone() {
    let world = world("");
    world.local("web1", "[guard]\nmin-free = \"100%\"", "");
    let before = world.snapshots("web1");
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &["min-free = \"100%\"", "make room"]);
    assert_eq!(world.snapshots("web1"), before);
    assert!(!world.at("backups/web1/.new").exists(), "it never began");
}
