//! Datasets that keep their names, copies and ends.

use super::*;

#[test]
fn a_dataset_that_is_named_keeps_its_name_and_knows_its_fileset() {
    for world in World::each() {
        world.drop_in("web1", "dataset = \"web1\"");
        let plan = world.plan("web2").expect("a plan");
        world.die_after(&plan, 1);
        world.again();
        let configuration = world.configuration();
        let fileset = configuration.fileset("web2").expect("valid");
        assert_eq!(fileset.dataset.as_str(), "web1");
        drop(world.storage().open(&fileset.dataset, &fileset.name, None, &world.stop).expect("it opens"));
        assert!(world.dataset("web1").join(SNAPSHOT).exists() && !world.dataset("web2").exists());
    }
}

#[test]
fn a_clone_shares_neither_dataset_nor_key() {
    let world = World::new();
    world.drop_in("web1", "dataset = \"web1\"  # as it was\nretain = \"7d\" # a week");
    fs::set_permissions(world.file("web1.toml"), fs::Permissions::from_mode(0o640)).expect("its mode");
    let planned = |like: &str, new: &str, host: &str| {
        let configuration = world.configuration();
        let like = configuration.fileset(like).expect("valid");
        clone(world.hands(), &configuration, like, &name(new), host, COMMAND.into())
    };
    let plan = planned("web1", "web2", "web2.example").expect("a plan");
    for steps in 0..=plan.steps.len() {
        let _ = fs::remove_file(world.file("web2.toml"));
        world.die_after(&plan, steps);
        world.again();
        let text = fs::read_to_string(world.file("web2.toml")).expect("written");
        assert_eq!(
            text,
            "# Ours.\nretain = \"7d\" # a week\n[rsync]\nhost = \"web2.example\"\ninclude = [\"/etc\"]\n"
        );
        assert_eq!(fs::metadata(world.file("web2.toml")).expect("there").permissions().mode() & 0o777, 0o640);
    }
    let configuration = world.configuration();
    let cloned = configuration.fileset("web2").expect("valid");
    assert_eq!((cloned.dataset.as_str(), cloned.transport.host()), ("web2", Some("web2.example")));

    fs::create_dir(world.dataset("old")).expect("a directory");
    fs::write(world.dataset("old").join(".planb"), "old\n").expect("written");
    fs::write(world.file("here.toml"), "[rsync]\ninclude = [\"/etc\"]\n").expect("written");
    for (like, new, host, words) in [
        ("web1", "web2", "web3", "web2.toml is there already"),
        ("web1", "old", "web3", "storage main has a dataset old already (see planb stale)"),
        ("here", "there", "web3", "here has no host that could be another one"),
        ("web1", "web3", "-oProxyCommand=id", "web3.toml:4:9: "),
    ] {
        let error = planned(like, new, host).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_removed_is_put_aside_and_loses_nothing() {
    for world in World::each() {
        let vendor = world.paths.drop_ins()[2].join("web1.toml");
        fs::copy(world.file("web1.toml"), &vendor).expect("copied");
        for times in ["", ".2"] {
            let text = fs::read(world.file("web1.toml")).expect("there");
            let configuration = world.configuration();
            let plan = remove(world.hands(), &name("web1"), configuration.fileset("web1"), COMMAND.into());
            for steps in 0..=plan.steps.len() {
                let aside = world.file(&format!("web1.toml{times}.removed"));
                if steps > 0 {
                    fs::remove_file(world.file("web1.toml")).expect("the mask");
                    fs::rename(&aside, world.file("web1.toml")).expect("back again");
                }
                world.die_after(&plan, steps);
                world.again();
                let configuration = world.configuration();
                assert!(configuration.fileset("web1").is_none() && configuration.invalid.is_empty());
                let warnings: Vec<String> =
                    configuration.diagnostics.iter().map(ToString::to_string).collect();
                assert!(warnings.iter().all(|warning| warning.contains("no filesets")), "{warnings:?}");
                assert_eq!(fs::read(&aside).expect("put aside"), text);
            }
            assert!(world.dataset("web1").join(SNAPSHOT).exists());
            assert_eq!(world.runs("web1"), ["web11"]);
            let destroying = world.settings().destroying(&"web1".parse().expect("a name"), false);
            assert!(plan.notes.iter().any(|note| note.ends_with(&destroying)), "{:?}", plan.notes);
            fs::remove_file(world.file("web1.toml")).expect("the mask");
            world.drop_in("web1", "");
        }
    }
}
