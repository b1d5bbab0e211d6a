mod interrupted;
mod others;
mod refused;

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
