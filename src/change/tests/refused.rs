//! What a change does not do, and that it has done nothing then.

use super::*;

#[test]
fn a_plan_changes_nothing() {
    for world in World::each() {
        let before = world.everything();
        world.plan("web2").expect("a plan");
        let configuration = world.configuration();
        let web1 = configuration.fileset("web1").expect("valid");
        clone(world.hands(), &configuration, web1, &name("web3"), "web3.example", String::new())
            .expect("a plan");
        remove(world.hands(), &name("web1"), Some(web1), String::new());
        assert_eq!(world.everything(), before);
    }
}

#[test]
fn what_is_in_the_way_of_a_new_name_is_refused_before_anything_is_done() {
    type Case = (&'static str, fn(&World), &'static str);
    let cases: [Case; 8] = [
        (
            "a fileset",
            |world| world.drop_in("web2", ""),
            "/etc/planb/conf.d/web2.toml is there already: choose another name",
        ),
        (
            "a file elsewhere",
            |world| fs::write(world.paths.drop_ins()[2].join("web2.toml"), "").expect("written"),
            "/usr/lib/planb/conf.d/web2.toml is there already: choose another name",
        ),
        (
            "a mask",
            |world| symlink("/dev/null", world.file("web2.toml")).expect("a link"),
            "/etc/planb/conf.d/web2.toml is there already: choose another name",
        ),
        (
            "a dataset",
            |world| fs::create_dir(world.dataset("web2")).expect("a directory"),
            "/web2 is there already: choose another name",
        ),
        (
            "a dataset that another has and does not have yet",
            |world| world.drop_in("db1", "dataset = \"web2\""),
            "the dataset web2 in storage main is that of db1",
        ),
        (
            "its own dataset, which says that it is another's",
            |world| fs::write(world.dataset("web1").join(".planb"), "db1\n").expect("written"),
            "belongs to the fileset \"db1\"",
        ),
        (
            "a change that waits",
            |world| {
                let plan = Plan {
                    of: Unfinished { command: "planb remove db1".into(), filesets: vec![name("db1")] },
                    steps: vec![],
                    notes: vec![],
                };
                journal::write(&world.paths, &plan).expect("written");
            },
            "`planb remove db1` was interrupted: call that again first",
        ),
        (
            "a file that is not the administrator's",
            |world| {
                fs::rename(world.file("web1.toml"), world.paths.drop_ins()[2].join("web1.toml"))
                    .expect("renamed");
            },
            "is not yours to rename: copy it first, cp ",
        ),
    ];
    for (what, put, words) in cases {
        let world = World::new();
        put(&world);
        let before = world.everything();
        let error =
            begun(&world.paths, COMMAND).and_then(|_| world.plan("web2")).expect_err(what).to_string();
        assert!(error.contains(words), "{what}: {error}");
        assert_eq!(world.everything(), before, "{what}");
    }
}

#[test]
fn a_key_is_shared_where_it_is_one_file() {
    let world = World::new();
    world.drop_in("web2", "");
    let mut configuration = world.configuration();
    let mut refused = |sources: [KeySource; 2]| {
        for (fileset, source) in configuration.filesets.iter_mut().zip(sources) {
            fileset.encryption = Some(source);
        }
        let new = Fileset { name: name("web3"), ..configuration.filesets[1].clone() };
        let new = Fileset { dataset: "web3".parse().expect("a name"), ..new };
        require_free(&configuration, &new, Some(&name("web2"))).err().map(|error| error.to_string())
    };
    let file = |path: &str| KeySource::File(path.into());
    assert_eq!(refused([KeySource::Credential, KeySource::Credential]), None);
    assert_eq!(refused([file("/keys/web1"), file("/keys/web3")]), None);
    let said = "its key, /keys/all, would be that of web1: say another `key`";
    assert_eq!(refused([file("/keys/all"), file("/keys/all")]).as_deref(), Some(said));
}

#[test]
fn one_change_at_a_time_and_none_beside_a_run() {
    let world = World::new();
    let both = [name("web1"), name("web2")];
    let taken = take(&world.paths, &both).expect("free");
    assert!(matches!(take(&world.paths, &[name("db1")]), Err(Error::Changing)));
    drop(taken);
    let run = claim::take(&world.paths, &name("web2")).expect("free");
    assert!(matches!(take(&world.paths, &both), Err(Error::Busy(Refused::Busy { .. }))));
    drop(run);
    assert!(interrupted(&world.paths).expect("readable").is_none());
    journal::write(&world.paths, &world.plan("web2").expect("a plan")).expect("written");
    assert!(interrupted(&world.paths).expect("readable").is_some());
    let taken = take(&world.paths, &both).expect("free");
    assert!(interrupted(&world.paths).expect("readable").is_none(), "it goes on");
    drop(taken);
}
