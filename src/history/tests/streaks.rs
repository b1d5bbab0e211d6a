//! What is carried on from run to run.

use super::*;

/// One run from begin to end, as the story does it.
fn whole(world: &World, record: &Record) -> Last {
    let begun = begin(&world.paths, &open(record), NOW);
    assert_eq!(texts(&begun.notices), "");
    assert!(last::read(&world.paths, &record.fileset).expect("a good file").expect("a file").is_open());
    let ended = end(&world.paths, record, NOW);
    assert_eq!(texts(&ended.notices), "");
    let kept = last::read(&world.paths, &record.fileset).expect("a good file");
    assert_eq!(kept.as_ref(), Some(&ended.last));
    ended.last
}

/// What the history alone knows: when the last success ended, when a failure first began since then, how many there were.
fn streak(world: &World, fileset: &str) -> (Option<OffsetDateTime>, Option<OffsetDateTime>, u32) {
    let (last, _) = ask(&world.paths, NOW, |history| history.last(&name(fileset))).expect("it can be read");
    let last = last.expect("it ran");
    (last.last_success.map(|success| success.finished), last.first_failure, last.failures)
}

#[test]
fn a_streak_begins_with_a_failure_and_is_still_known_to_the_success_that_ends_it() {
    let world = World::new();
    let at = |minute: u32| run("web1", minute, Outcome::Success).started;

    let last = whole(&world, &run("web1", 0, Outcome::Deferred));
    assert_eq!((last.first_failure, last.failures, last.waiting_since()), (None, 0, at(0)));

    let last = whole(&world, &run("web1", 1, Outcome::Success));
    assert_eq!(
        (last.first_failure, last.failing_since(), last.waiting_since()),
        (None, None, at(1) + Duration::from_secs(30))
    );

    for (minute, outcome, failures) in [
        (2, Outcome::Failure, 1),
        (3, Outcome::Deferred, 1),
        (4, Outcome::Interrupted, 1),
        (5, Outcome::Timeout, 2),
        (6, Outcome::Killed, 3),
    ] {
        let last = whole(&world, &run("web1", minute, outcome));
        assert_eq!((last.first_failure, last.failures), (Some(at(2)), failures), "after {outcome}");
        assert_eq!(last.failing_since(), Some(at(2)));
        assert_eq!(last.last_success.expect("an earlier one").id, "web11");
    }
    assert_eq!(streak(&world, "web1"), (Some(at(1) + Duration::from_secs(30)), Some(at(2)), 3));

    let last = whole(&world, &run("web1", 7, Outcome::Success));
    assert_eq!((last.first_failure, last.failures, last.failing_since()), (Some(at(2)), 3, None));
    assert_eq!(last.last_success.as_ref().map(|s| s.id.as_str()), Some("web17"));
    assert_eq!(streak(&world, "web1"), (Some(at(7) + Duration::from_secs(30)), Some(at(2)), 3));

    let last = whole(&world, &run("web1", 8, Outcome::Success));
    assert_eq!((last.first_failure, last.failures), (None, 0));
    assert_eq!(last.first_run, at(0));
}

#[test]
fn a_run_left_open_was_killed() {
    let world = World::new();
    whole(&world, &run("web1", 0, Outcome::Success));
    begin(&world.paths, &open(&run("web1", 1, Outcome::Success)), NOW);
    // Nothing more is heard of it. The next run finds it.
    let begun = begin(&world.paths, &open(&run("web1", 2, Outcome::Success)), NOW);
    let killed = begun.killed.expect("the one left open");
    assert_eq!((killed.id.as_str(), killed.result, killed.finished), ("web11", Some(Outcome::Killed), None));
    assert!(killed.error.is_some_and(|error| error.contains("killed")));
    assert_eq!(begun.before.expect("it").failures, 1);
    assert_eq!(world.ids(), ["web11", "web10"]);

    let died = NOW + Duration::from_secs(1);
    let ended = close_killed(&world.paths, &name("web1"), died, Outcome::Killed, "it was killed")
        .expect("the second is open as well");
    assert_eq!((ended.last.run.finished, ended.last.failures), (Some(died), 2));
    assert!(
        close_killed(&world.paths, &name("web1"), died, Outcome::Killed, "it was killed").is_none(),
        "it is closed now"
    );
    assert_eq!(world.ids(), ["web12", "web11", "web10"]);
}

#[test]
fn the_first_end_of_a_run_counts() {
    let world = World::new();
    let failed = run("web1", 0, Outcome::Failure);
    let first = whole(&world, &failed);
    let second = first.clone().end(Record { result: Some(Outcome::Success), ..failed });
    assert_eq!(second, first);
}

#[test]
fn what_a_lost_or_bad_file_said_is_known_from_the_history() {
    let world = World::new();
    for (minute, outcome) in [
        (0, Outcome::Failure),
        (1, Outcome::Success),
        (2, Outcome::Failure),
        (3, Outcome::Deferred),
        (4, Outcome::Failure),
        (5, Outcome::Success),
        (6, Outcome::Success),
    ] {
        let said = whole(&world, &run("web1", minute, outcome));
        let file = world.paths.last_runs().join("web1.json");

        fs::remove_file(&file).expect("it is there");
        let (rebuilt, _) =
            ask(&world.paths, NOW, |history| history.last(&name("web1"))).expect("it can be read");
        assert_eq!(rebuilt.as_ref(), Some(&said), "after minute {minute}");

        fs::write(&file, &b"{\"run\": {\"id\""[..]).expect("it can be written");
        let listed = overview(&world.paths, [name("web1")].iter(), NOW);
        assert_eq!(listed.last[&name("web1")], said);
        assert!(texts(&listed.notices).contains("comes from the history"), "{listed:?}");

        let mut notices = Vec::new();
        assert_eq!(last::load(&world.paths, &name("web1"), NOW, &mut notices), Some(said.clone()));
        assert!(texts(&notices).contains("web1.json.corrupt-20260102T030405Z"), "{notices:?}");
        last::save(&world.paths, &said, &mut notices);
    }
}

#[test]
fn a_file_of_another_fileset_is_not_believed() {
    let world = World::new();
    whole(&world, &run("web1", 0, Outcome::Success));
    let dir = world.paths.last_runs();
    fs::copy(dir.join("web1.json"), dir.join("web2.json")).expect("it can be copied");
    let mut notices = Vec::new();
    assert_eq!(last::load(&world.paths, &name("web2"), NOW, &mut notices), None);
    assert!(texts(&notices).contains("web2.json.corrupt-"), "{notices:?}");
}

#[test]
fn files_are_for_owner_and_group() {
    let world = World::new();
    fs::create_dir_all(world.paths.state()).expect("it can be made");
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(world.paths.state(), None, Some(65534)).expect("root may");
    }
    let gid = fs::metadata(world.paths.state()).expect("it is there").gid();
    whole(&world, &run("web1", 0, Outcome::Success));
    for (path, mode) in [
        (world.db(), 0o640),
        (world.paths.last_runs(), 0o750),
        (world.paths.last_runs().join("web1.json"), 0o640),
    ] {
        let meta = fs::metadata(&path).expect("it is there");
        assert_eq!((meta.permissions().mode() & 0o777, meta.gid()), (mode, gid), "{}", path.display());
    }
    assert_eq!(world.files(), ["history.db", "last"], "nothing is left lying about");
}
