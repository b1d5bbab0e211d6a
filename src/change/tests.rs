use super::step::KeyOf;
use super::*;
use crate::fileset::key::KeySource;
use crate::fileset::record::{Outcome, Record, Trigger};
use crate::history::{self, last};
use crate::run::gate;
use crate::storage::tests::mounted::Mounted;
use crate::storage::{Rename, Settings, SnapshotName, Storage};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);
const COMMAND: &str = "planb rename web1 web2";
const SNAPSHOT: &str = "planb-20260102T0304Z";

/// A world of its own with the fileset `web1`, which was backed up once.
struct World {
    _mounted: Option<Mounted>,
    dir: tempfile::TempDir,
    paths: Paths,
    kind: &'static str,
    stop: Stop,
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

impl World {
    fn new() -> Self {
        Self::of("directory").expect("anybody can make directories")
    }

    /// `None` where nobody may mount.
    fn of(kind: &'static str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let backups = dir.path().join("backups");
        let mounted = if kind == "btrfs" {
            Some(Mounted::btrfs(&dir.path().join("image"), &backups, 128)?)
        } else {
            fs::create_dir(&backups).expect("a directory");
            None
        };
        let root = dir.path().join("root");
        let paths = Paths::new(Some(root.clone()));
        for directory in paths.drop_ins() {
            fs::create_dir_all(directory).expect("a directory");
        }
        let world = Self { _mounted: mounted, dir, paths, kind, stop: Stop::new().expect("a socket pair") };
        let settings = format!("[storage.main]\ntype = {kind:?}\npath = {backups:?}\n");
        fs::write(world.paths.settings(), settings).expect("written");
        world.drop_in("web1", "");
        world.back_up("web1", 1, Outcome::Success);
        Some(world)
    }

    fn each() -> impl Iterator<Item = Self> {
        ["directory", "btrfs"].into_iter().filter_map(Self::of)
    }

    fn hands(&self) -> Hands<'_> {
        Hands { paths: &self.paths, user: Uid::effective(), now: NOW, stop: &self.stop }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.paths.drop_ins()[0].join(name)
    }

    fn drop_in(&self, name: &str, lines: &str) {
        let text = format!("# Ours.\n{lines}\n[rsync]\nhost = \"{name}.example\"\ninclude = [\"/etc\"]\n");
        fs::write(self.file(&format!("{name}.toml")), text).expect("written");
    }

    fn configuration(&self) -> Configuration {
        crate::config::load(&self.paths, Uid::effective())
    }

    fn storage(&self) -> Storage {
        Storage::new(&self.settings(), &self.paths)
    }

    fn settings(&self) -> Settings {
        self.configuration().settings.storages[&"main".parse().expect("a name")].clone()
    }

    fn dataset(&self, name: &str) -> PathBuf {
        self.dir.path().join("backups").join(name)
    }

    /// A run of the fileset, which is the `n`th of all.
    fn back_up(&self, fileset: &str, n: u32, outcome: Outcome) {
        let started = NOW + Duration::from_secs(60 * u64::from(n));
        let run = Record {
            id: format!("{fileset}{n}"),
            fileset: name(fileset),
            group: None,
            tags: vec![],
            trigger: Trigger::Manual,
            started,
            finished: None,
            result: None,
            error: None,
            exit_code: None,
            snapshot: None,
            dataset: fileset.parse().expect("a name"),
            path: None,
            transferred: None,
            destroyed: vec![],
        };
        history::begin(&self.paths, &run, started);
        if outcome == Outcome::Success {
            let open = self.storage().open(&run.dataset, &run.fileset, None, &self.stop).expect("it opens");
            fs::write(open.workspace().path().join("file"), fileset).expect("written");
            open.snapshot(&SnapshotName::parse(SNAPSHOT).expect("a name")).expect("a snapshot");
        }
        let ended = Record { result: Some(outcome), finished: Some(started + Duration::from_secs(5)), ..run };
        history::end(&self.paths, &ended, started + Duration::from_secs(5));
    }

    fn plan(&self, new: &str) -> Result<Plan, Error> {
        let configuration = self.configuration();
        let old = configuration.fileset("web1").expect("valid");
        rename(self.hands(), &configuration, old, &name(new), COMMAND.into())
    }

    /// Writes the plan down and takes so many of its steps; there it ends, as if killed.
    fn die_after(&self, plan: &Plan, steps: usize) {
        journal::write(&self.paths, plan).expect("written");
        for step in &plan.steps[..steps] {
            step.take(self.hands()).expect("a step");
        }
    }

    /// Calls the command again.
    fn again(&self) {
        let plan = begun(&self.paths, COMMAND).expect("readable").expect("it waits");
        carry_out(self.hands(), &plan, |_| {}).expect("it comes to its end");
    }

    /// Everything of web1's is web2's, whole, and nothing has the old name.
    fn assert_renamed(&self, how: &str) {
        let configuration = self.configuration();
        let fileset = configuration.fileset("web2").unwrap_or_else(|| panic!("{how}: no web2"));
        assert!(configuration.fileset("web1").is_none() && configuration.invalid.is_empty(), "{how}");
        assert_eq!(
            fs::read_to_string(&fileset.file).expect("there").lines().next(),
            Some("# Ours."),
            "{how}"
        );
        let content = fs::read_to_string(self.dataset("web2").join(SNAPSHOT).join("data/file"));
        assert_eq!(content.expect("there"), "web1", "{how}");
        assert!(!self.dataset("web1").exists(), "{how}");
        let last = last::read(&self.paths, &name("web2")).expect("readable").expect("known");
        assert_eq!(last.last_success.map(|success| success.id).as_deref(), Some("web11"), "{how}");
        assert!(last::read(&self.paths, &name("web1")).expect("readable").is_none(), "{how}");
        assert_eq!(self.runs("web1"), [""; 0], "{how}");
        assert!(Unfinished::find(&self.paths).expect("readable").is_none(), "{how}");
        // And it is backed up under its new name.
        drop(self.storage().open(&fileset.dataset, &fileset.name, None, &self.stop).expect("it opens"));
    }

    fn runs(&self, fileset: &str) -> Vec<String> {
        let (runs, _) = history::ask(&self.paths, NOW, |history| history.runs(Some(&name(fileset)), None))
            .expect("readable");
        runs.into_iter().map(|run| run.id).collect()
    }

    /// All there is below the directory, with its content.
    fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(path).expect("listed") {
                let path = entry.expect("an entry").path();
                let stat = fs::symlink_metadata(&path).expect("there");
                if stat.is_dir() {
                    walk(&path, found);
                } else if path.file_name().is_some_and(|name| name != "image") {
                    found.insert(path.clone(), fs::read(&path).unwrap_or_default());
                }
                found.entry(path).or_default();
            }
        }
        let mut found = BTreeMap::new();
        walk(self.dir.path(), &mut found);
        found
    }
}

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
            let destroying = world.settings().destroying(&"web1".parse().expect("a name"));
            assert!(plan.notes.iter().any(|note| note.ends_with(&destroying)), "{:?}", plan.notes);
            fs::remove_file(world.file("web1.toml")).expect("the mask");
            world.drop_in("web1", "");
        }
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
        let new = crate::config::Fileset { name: name("web3"), ..configuration.filesets[1].clone() };
        let new = crate::config::Fileset { dataset: "web3".parse().expect("a name"), ..new };
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
