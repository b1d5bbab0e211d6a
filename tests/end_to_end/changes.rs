//! Filesets that get another name, a copy, an end; and what is left of those that have none any more.

use crate::sshd::{Sshd, run};
use crate::stopping::noise;
use crate::world::{World, assert_keys_in_order, is_root_for};
use std::fs;
use time::Duration;

fn file(world: &World, name: &str) -> std::path::PathBuf {
    world.at("root/etc/planb/conf.d").join(name)
}

#[test]
fn a_renamed_fileset_goes_on_with_all_it_had() {
    for world in World::each("a_renamed_fileset_goes_on: btrfs") {
        world.listen();
        world.write("big", noise(500_000, 1));
        world.local("web1", "", "");
        world.good_run("web1");
        let before = world.runs("web1");

        let shown = world.planb(&["rename", "--dry-run", "web1", "web2"]);
        assert_eq!((shown.code, world.runs("web1")), (0, before.clone()), "{}", shown.stderr);
        let ran = world.planb(&["rename", "web1", "web2"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let (from, to) = (file(&world, "web1.toml"), file(&world, "web2.toml"));
        let wanted = format!(
            "renamed the dataset web1 to web2 in storage disk\ngave the history of web1 to web2\nrenamed {} to {}\n",
            from.display(),
            to.display()
        );
        assert_eq!(ran.stdout, wanted);
        let would = |text: &str| -> String {
            let lines = text.lines().map(|line| {
                let (verb, rest) = line.split_once(' ').expect("words");
                let verb = if verb == "gave" { "give" } else { verb.trim_end_matches('d') };
                format!("would {verb} {rest}\n")
            });
            lines.collect()
        };
        assert_eq!(shown.stdout, would(&wanted), "what is shown is what is done");

        assert_eq!(world.planb(&["status", "web1"]).code, 2);
        assert_eq!(world.listed("web2")["last_result"], "success");
        assert_eq!((world.runs("web1").len(), world.runs("web2").len()), (0, 1));
        assert_eq!(world.runs("web2")[0]["id"], before[0]["id"]);
        // Nothing has to come again.
        let ran = world.good_run("web2");
        assert!(ran.said("s: 0 files changed, "), "{}", ran.stderr);
        assert_eq!(world.snapshots("web2").len(), 2);
        assert_eq!(
            fs::read(world.data("web2", &world.snapshots("web2")[0]).join("big")).expect("there"),
            noise(500_000, 1)
        );
        assert_eq!(world.last_heard().env["PLANB_FILESET"], "web2");
        assert!(!world.at("backups/web1").exists() && !world.at("root/var/lib/planb/change.json").exists());
    }
}

#[test]
fn exit_codes_of_changes_are_those_of_all_commands() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("big", noise(3_000_000, 1));
    world.over(&sshd, "web1", "", "bwlimit = \"1M\"");
    world.local("here", "", "");
    world.local("broken", "retain = \"sometimes\"", "");
    for (args, code, words) in [
        (&["rename", "web1"][..], 2, "NEW"),
        (&["rename", "wbe1", "web2"], 2, "did you mean \"web1\"?"),
        (&["rename", "web1", "Web2"], 2, "in lowercase"),
        (&["rename", "web1", "here"], 2, "is there already: choose another name"),
        (&["rename", "broken", "mended"], 2, "broken.toml:1:"),
        (&["clone", "web1", "web2"], 2, "--host"),
        (&["clone", "here", "web2", "--host", "a"], 2, "has no host"),
        (&["clone", "web1", "web2", "--host", "a b"], 2, "web2.toml:"),
        (&["remove", "wbe1"], 2, "did you mean"),
    ] {
        let ran = world.planb(args);
        assert!(ran.code == code && ran.said(words), "{args:?}: {ran:?}");
    }
    let running = world.start(&["run", "web1"]);
    world.wait_until_received("web1", 300_000);
    for args in [&["rename", "web1", "web2"][..], &["remove", "web1"]] {
        let ran = world.planb(args);
        assert!(ran.code == 4 && ran.said("web1 is being backed up already by process"), "{args:?}: {ran:?}");
    }
    // A plan disturbs nobody, and a copy has nothing to wait for.
    assert_eq!(world.planb(&["rename", "--dry-run", "web1", "web2"]).code, 0);
    assert_eq!(world.planb(&["clone", "web1", "web2", "--host", "web2.example"]).code, 0);
    assert_eq!(running.wait().code, 0);
    assert_eq!(world.snapshots("web1").len(), 1);
}

#[test]
fn an_interrupted_rename_is_told_by_everybody_until_it_is_called_again() {
    if !is_root_for("an_interrupted_rename: a directory that cannot be written") {
        return;
    }
    let world = World::new();
    world.listen();
    world.write("f", "f");
    world.local("web1", "", "");
    world.good_run("web1");
    let directory = file(&world, "");
    run("mount", ["--bind".as_ref(), directory.as_os_str(), directory.as_os_str()]);
    run("mount", ["-o".as_ref(), "remount,bind,ro".as_ref(), directory.as_os_str()]);
    let ran = world.planb(&["rename", "web1", "web2"]);
    assert_eq!(ran.code, 1);
    assert!(ran.said("nothing is lost: call the same again, and it goes on: "), "{}", ran.stderr);
    assert!(ran.said("Read-only file system") && ran.stdout.starts_with("renamed the dataset"), "{ran:?}");

    let words = "`planb rename web1 web2` was interrupted: call it again, and it comes to its end";
    assert!(world.planb(&["list"]).said(words));
    let ran = world.run("web1");
    world.assert_came_to_nothing(&ran, "web1", 1, "failure", &[words]);
    let ran = world.planb(&["remove", "web1"]);
    assert!(
        ran.code == 1 && ran.said("`planb rename web1 web2` was interrupted: call that again first"),
        "{ran:?}"
    );
    run("umount", [directory.as_os_str()]);

    let shown = world.planb(&["rename", "--dry-run", "web1", "web2"]);
    assert!(shown.code == 0 && shown.stdout.contains("would rename "), "{shown:?}");
    let ran = world.planb(&["rename", "web1", "web2"]);
    assert!(ran.code == 0 && ran.said("`planb rename web1 web2` was interrupted, and goes on"), "{ran:?}");
    assert_eq!(world.planb(&["list"]).stderr, "");
    world.good_run("web2");
    let results: Vec<_> = world.runs("web2").iter().map(|run| run["result"].clone()).collect();
    assert_eq!(results, ["success", "failure", "success"]);
    assert_eq!(world.snapshots("web2").len(), 2);
}

#[test]
fn a_rename_that_is_killed_at_any_moment_is_finished_by_the_next_call() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "", "");
    world.good_run("web1");
    let (mut from, mut to) = ("web1", "web2");
    let (mut killed, mut waited) = (0, 0);
    // Each time a little later: first before anything is done, in the end when all of it is.
    for n in 0..60_u32 {
        let running = world.start(&["rename", from, to]);
        let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::from(u16::try_from(n / 2).expect("small")));
        running.signal_if_running(nix::sys::signal::Signal::SIGKILL);
        let ran = running.wait();
        killed += u32::from(ran.code == 128 + 9);
        waited += u32::from(world.at("root/var/lib/planb/change.json").exists());
        if file(&world, &format!("{from}.toml")).exists()
            || world.at("root/var/lib/planb/change.json").exists()
        {
            let ran = world.planb(&["rename", from, to]);
            assert_eq!(ran.code, 0, "{n}: {}", ran.stderr);
        }
        assert_eq!(world.planb(&["check", to]).code, 0, "{n}");
        assert_eq!(
            (world.snapshots(to).len(), world.runs(to).len(), world.runs(from).len()),
            (1, 1, 0),
            "{n}"
        );
        assert_eq!(world.listed(to)["last_result"], "success", "{n}");
        assert!(
            !world.at("backups").join(from).exists() && !world.at("root/var/lib/planb/change.json").exists()
        );
        std::mem::swap(&mut from, &mut to);
    }
    println!("{killed} were killed, {waited} of them with something left to do");
    assert!(killed > 0, "none was killed: this test tried nothing");
    world.good_run(from);
}

#[test]
fn a_clone_is_a_fileset_of_its_own() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("f", "f");
    world.over(&sshd, "web1", "# the first\ndataset = \"web1\"", "");
    let ran = world.planb(&["clone", "web1", "web2", "--host", "localhost"]);
    let wrote = format!("wrote {}\n", file(&world, "web2.toml").display());
    assert_eq!((ran.code, ran.stdout, ran.stderr), (0, wrote, String::new()));
    let text = fs::read_to_string(file(&world, "web2.toml")).expect("there");
    assert!(
        text.starts_with("# the first\n\n[rsync]\n") || text.starts_with("# the first\n[rsync]\n"),
        "{text}"
    );
    for name in ["web1", "web2"] {
        world.good_run(name);
        assert_eq!(fs::read_to_string(world.newest(name).join("f")).expect("there"), "f");
    }
    assert_eq!(
        world.listed("web2")["source"].as_str().map(|source| source.contains("localhost")),
        Some(true)
    );
}

#[test]
fn what_is_removed_is_stale_and_goes_by_a_persons_hand_alone() {
    for world in World::each("what_is_removed_is_stale: btrfs") {
        world.write("f", "f");
        for name in ["web1", "web2", "off", "broken"] {
            world.local(name, "", "");
            world.good_run(name);
        }
        world.local("off", "enabled = false", "");
        world.local("broken", "retain = \"sometimes\"", "");
        let stale = || world.json(&["stale", "--json"])["datasets"].clone();
        assert_eq!(stale(), serde_json::json!([]));
        assert_eq!(world.planb(&["stale"]).stdout, "");

        let ran = world.planb(&["remove", "web1"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let file = file(&world, "web1.toml");
        let (file, aside) = (file.display(), format!("{}.removed", file.display()));
        let lines: Vec<&str> = ran.stdout.lines().collect();
        assert_eq!(
            lines[..2],
            [format!("renamed {file} to {aside}"), format!("to have it back: mv {aside} {file}")]
        );
        let destroy = lines[2]
            .strip_prefix("its snapshots stay; this would destroy them for ever: ")
            .expect("a command");
        assert_eq!(lines.len(), 3);
        assert_eq!(world.planb(&["run", "web1"]).code, 2);
        assert_eq!(world.runs("web1").len(), 1, "its history stays");
        let listed = world.planb(&["list"]);
        assert!(!listed.said("web1") && !listed.stdout.contains("web1"), "{listed:?}");

        world.later(Duration::DAY);
        let ran = world.planb(&["stale", "--json"]);
        assert_keys_in_order(
            &ran.stdout,
            &[
                "version",
                "datasets",
                "storage",
                "dataset",
                "fileset",
                "snapshots",
                "newest",
                "used_bytes",
                "destroy",
            ],
        );
        let datasets = stale();
        assert_eq!(datasets.as_array().map(Vec::len), Some(1), "{datasets:#}");
        let dataset = &datasets[0];
        assert_eq!((&dataset["dataset"], &dataset["fileset"]), (&"web1".into(), &"web1".into()));
        assert_eq!((&dataset["snapshots"], &dataset["newest"]), (&1.into(), &"2026-03-02T03:01:00Z".into()));
        assert_eq!((&dataset["storage"], dataset["destroy"].as_str()), (&"disk".into(), Some(destroy)));
        let shown = world.planb(&["stale"]);
        let row: Vec<&str> = shown.stdout.lines().nth(1).expect("a row").split_whitespace().collect();
        assert_eq!((shown.code, row), (0, vec!["disk", "web1", "web1", "1", "1d", "-"]), "{}", shown.stdout);
        assert!(shown.stdout.ends_with(&format!("  {destroy}\n")), "{}", shown.stdout);

        // What it says would destroy it does, and touches nothing else.
        run("sh", ["-ec", destroy]);
        assert_eq!((stale(), world.at("backups/web1").exists()), (serde_json::json!([]), false));
        assert_eq!(world.snapshots("web2").len(), 1);
        fs::rename(aside, file.to_string()).expect("back again");
        world.good_run("web1");
        assert_eq!(world.runs("web1").len(), 2);
    }
}

#[test]
fn a_storage_that_cannot_tell_does_not_hide_what_the_others_have() {
    let world = World::with("[storage.gone]\ntype = \"directory\"\npath = \"/no/such/place\"");
    world.local("web1", "storage = \"disk\"", "");
    fs::create_dir(world.at("backups/old")).expect("a directory");
    fs::write(world.at("backups/old/.planb"), "old\n").expect("written");
    let ran = world.planb(&["stale"]);
    assert_eq!(ran.code, 1);
    assert!(ran.said("storage gone: the storage /no/such/place is not there"), "{}", ran.stderr);
    assert!(ran.stdout.contains("old"), "{}", ran.stdout);
}
