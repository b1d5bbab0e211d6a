//! Changes that died on the way: calling them again brings them to their end.

use super::*;
use crate::change::step::KeyOf;

#[test]
fn at_whatever_step_a_rename_dies_calling_it_again_finishes() {
    for steps in 0.. {
        let mut is_over = true;
        for world in World::each() {
            let plan = world.plan("web2").expect("a plan");
            if steps > plan.steps.len() {
                continue;
            }
            is_over = false;
            world.die_after(&plan, steps);
            let how = format!("{}, after {steps} steps", world.kind);
            for fileset in ["web1", "web2"] {
                let refused = gate::unchanging(&world.paths, &name(fileset)).expect_err(&how).to_string();
                assert!(refused.contains(COMMAND), "{how}: {refused}");
            }
            assert!(gate::unchanging(&world.paths, &name("db1")).is_ok());
            assert!(
                matches!(begun(&world.paths, "planb remove db1"), Err(Error::Unfinished { .. })),
                "{how}"
            );
            world.again();
            world.assert_renamed(&how);
            assert_eq!(world.runs("web2"), ["web11"], "{how}");
        }
        if is_over {
            assert!(steps > 3, "there were that many steps");
            return;
        }
    }
}

#[test]
fn a_step_that_died_half_done_is_gone_on_with() {
    type Half = (&'static str, fn(&World));
    let halves: [Half; 6] = [
        ("the marker written, the dataset not renamed", |world| {
            fs::write(world.dataset("web1").join(".planb"), "web2\n").expect("written");
        }),
        ("the next marker drafted", |world| {
            fs::write(world.dataset("web1").join(".planb.new"), "we").expect("written");
        }),
        ("the dataset renamed, the marker as it was", |world| {
            fs::rename(world.dataset("web1"), world.dataset("web2")).expect("renamed");
        }),
        ("the records renamed, the last run still of the old name", |world| {
            let last = fs::read(world.paths.last_runs().join("web1.json")).expect("there");
            history::rename(&world.paths, &name("web1"), &name("web2"), NOW).expect("renamed");
            fs::write(world.paths.last_runs().join("web1.json"), last).expect("written");
        }),
        ("a record that waits", |world| {
            fs::rename(world.paths.history(), world.paths.history().with_extension("away")).expect("renamed");
            let last = last::read(&world.paths, &name("web1")).expect("readable").expect("known");
            fs::create_dir_all(world.paths.spool()).expect("a directory");
            let record = serde_json::to_vec(&last.run).expect("json");
            fs::write(world.paths.spool().join("web11.json"), record).expect("written");
        }),
        ("all of it, but for what was written down", |world| {
            let plan = begun(&world.paths, COMMAND).expect("readable").expect("it waits");
            carry_out(world.hands(), &plan, |_| {}).expect("done");
            journal::write(&world.paths, &plan).expect("written");
        }),
    ];
    for (how, half) in halves {
        for world in World::each() {
            let plan = world.plan("web2").expect("a plan");
            world.die_after(&plan, 0);
            half(&world);
            world.again();
            world.assert_renamed(&format!("{}: {how}", world.kind));
        }
    }
}

#[test]
fn a_run_that_failed_meanwhile_belongs_to_the_same_history() {
    let world = World::new();
    let plan = world.plan("web2").expect("a plan");
    world.die_after(&plan, plan.steps.len() - 1);
    // The drop-in still has its old name: a timer starts it, and the gate refuses.
    world.back_up("web1", 2, Outcome::Failure);
    world.again();
    world.assert_renamed("with a failure");
    assert_eq!(world.runs("web2"), ["web12", "web11"]);
    let last = last::read(&world.paths, &name("web2")).expect("readable").expect("known");
    assert_eq!((last.run.id.as_str(), last.failures), ("web12", 1));
}

#[test]
fn a_run_that_nobody_saw_die_is_closed_under_its_new_name() {
    let world = World::new();
    let mut open = last::read(&world.paths, &name("web1")).expect("readable").expect("known").run;
    open = Record {
        id: "web12".into(),
        started: open.started + Duration::from_secs(60),
        result: None,
        finished: None,
        ..open
    };
    history::begin(&world.paths, &open, NOW);
    let plan = world.plan("web2").expect("a plan");
    carry_out(world.hands(), &plan, |_| {}).expect("renamed");
    assert_eq!(world.runs("web2"), ["web12", "web11"]);
    let last = last::read(&world.paths, &name("web2")).expect("readable").expect("known");
    assert_eq!(last.run.result, Some(Outcome::Killed));
}

#[test]
fn what_the_renamed_file_had_covered_does_not_come_into_force() {
    for left in 0..3 {
        let world = World::new();
        let vendor = world.paths.drop_ins()[2].join("web1.toml");
        fs::copy(world.file("web1.toml"), &vendor).expect("copied");
        let plan = world.plan("web2").expect("a plan");
        world.die_after(&plan, plan.steps.len() - left);
        world.again();
        world.assert_renamed("over another file");
        let mask = fs::read_link(world.file("web1.toml")).expect("a link");
        assert!(vendor.exists() && mask == Path::new("/dev/null"));
    }
}

#[test]
fn what_is_written_down_comes_back_whole() {
    let world = World::new();
    let zfs = Settings::Zfs { parent: "tank/BACKUP".parse().expect("a name"), path: "/tank/BACKUP".into() };
    let rename = Rename {
        from: "web1".parse().expect("a name"),
        to: "web2".parse().expect("a name"),
        old: name("web1"),
        new: name("web2"),
    };
    let of = |fileset: &str, source| KeyOf { fileset: name(fileset), source };
    let steps = vec![
        Step::Dataset { storage: "tank".parse().expect("a name"), settings: zfs, rename },
        Step::Key {
            from: of("web1", KeySource::Credential),
            to: of("web2", KeySource::File("/keys/web2".into())),
        },
        Step::History { old: name("web1"), new: name("web2") },
        Step::Retry { old: name("web1"), new: Some(name("web2")) },
        Step::Retry { old: name("web1"), new: None },
        Step::Move { from: "/a b".into(), to: "/c".into() },
        Step::Mask { file: "/a b".into() },
        Step::Write { file: "/c".into(), text: "é\n\"'".into(), mode: 0o640 },
    ];
    let of = Unfinished { command: COMMAND.into(), filesets: vec![name("web1"), name("web2")] };
    let plan = Plan { of, steps, notes: vec!["a note".into()] };
    journal::write(&world.paths, &plan).expect("written");
    assert_eq!(begun(&world.paths, COMMAND).expect("readable"), Some(plan));

    for wrong in
        ["", "{", "{\"version\": 2, \"command\": \"x\", \"filesets\": [], \"steps\": [], \"notes\": []}"]
    {
        fs::write(world.paths.change(), wrong).expect("written");
        assert!(matches!(begun(&world.paths, COMMAND), Err(Error::Io { what: "understand", .. })), "{wrong}");
    }
    fs::write(world.paths.change(), "{").expect("written");
    assert!(gate::unchanging(&world.paths, &name("db1")).is_err(), "who knows whose change it was");
}
