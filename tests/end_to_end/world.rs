//! A private world for one test, and the hands to act in it.

mod mount;
mod running;

pub use mount::Mount;
pub use running::{Process, Ran, Running, wait_for};

use crate::sshd::{Sshd, executable};
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration as Span, OffsetDateTime};

pub const PLANB: &str = env!("CARGO_BIN_EXE_planb");

/// When time begins. A Monday.
pub const BEGIN: OffsetDateTime = datetime!(2026-03-02 03:00 UTC);

pub struct World {
    /// Unmounted before the directory is removed.
    mount: Option<Mount>,
    storage: &'static str,
    dir: TempDir,
    now: Cell<OffsetDateTime>,
}

/// What a hook was told.
#[derive(Debug)]
pub struct Heard {
    pub env: BTreeMap<String, String>,
    pub run: Value,
}

impl World {
    /// With a storage, and nothing in it.
    pub fn new() -> Self {
        Self::with("")
    }

    /// With these lines at the top of planb.toml.
    pub fn with(settings: &str) -> Self {
        // A blank in every path: each of rsync, ssh and the shell splits at them.
        let dir = tempfile::Builder::new().prefix("planb test ").tempdir().expect("a directory");
        let world = Self { mount: None, storage: "directory", dir, now: Cell::new(BEGIN) };
        for name in ["root/etc/planb/conf.d", "root/etc/planb/post-backup.d", "backups", "source", "heard"] {
            fs::create_dir_all(world.at(name)).expect("a directory");
        }
        world.settings(settings);
        world
    }

    /// With a storage on a btrfs of its own, so many MiB large. Only root can make one.
    pub fn on_btrfs(test: &str, mib: u64) -> Option<Self> {
        if !is_root_for(test) {
            return None;
        }
        let mut world = Self { storage: "btrfs", ..Self::new() };
        world.mount = Some(Mount::btrfs(&world.at("image"), &world.at("backups"), mib));
        world.settings("");
        Some(world)
    }

    /// One of each kind of storage that can be made here.
    pub fn each(test: &str) -> impl Iterator<Item = Self> {
        [Some(Self::new()), Self::on_btrfs(test, 256)].into_iter().flatten()
    }

    /// Writes planb.toml again, with these lines at its top.
    pub fn settings(&self, lines: &str) {
        let (storage, kind) = (quoted(&self.at("backups")), self.storage);
        let text = format!(
            "{lines}\n[storage.disk]\ntype = {kind:?}\npath = {storage}\n[defaults]\ntimezone = \"UTC\"\n"
        );
        fs::write(self.at("root/etc/planb/planb.toml"), text).expect("written");
    }

    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn source(&self) -> PathBuf {
        self.at("source")
    }

    /// Writes a file of the source.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content).expect("written");
    }

    pub fn drop_in(&self, name: &str, text: &str) {
        fs::write(self.at(format!("root/etc/planb/conf.d/{name}.toml")), text).expect("written");
    }

    /// A fileset that has the source by its path. `fileset` are lines of the fileset, `rsync` of its transport.
    pub fn local(&self, name: &str, fileset: &str, rsync: &str) {
        let source = quoted(&self.source());
        self.drop_in(name, &format!("{fileset}\n[rsync]\nsource = {source}\n{}{rsync}", everything(rsync)));
    }

    /// The same over ssh.
    pub fn over(&self, sshd: &Sshd, name: &str, fileset: &str, rsync: &str) {
        let (port, user) = (sshd.port(), Sshd::user());
        let (identity, source) = (quoted(&sshd.identity()), quoted(&self.source()));
        let bwlimit = if rsync.contains("bwlimit") { "" } else { "bwlimit = \"none\"\n" };
        let do_not_run = if rsync.contains("do-not-run") { "" } else { "do-not-run = false\n" };
        self.drop_in(
            name,
            &format!(
                "{fileset}\n[rsync]\nhost = \"127.0.0.1\"\nport = {port}\nuser = {user:?}\nsudo = false\n\
                 ionice = \"none\"\nidentity = {identity}\nsource = {source}\n{}{bwlimit}{do_not_run}{rsync}",
                everything(rsync)
            ),
        );
    }

    /// Calls planb as it would be called at this world's time.
    pub fn planb(&self, args: &[&str]) -> Ran {
        self.start(args).wait()
    }

    /// Backs up a fileset, a minute after whatever was before.
    pub fn run(&self, name: &str) -> Ran {
        self.later(Span::MINUTE);
        self.planb(&["run", name])
    }

    /// Backs up a fileset, which has to succeed.
    #[track_caller]
    pub fn good_run(&self, name: &str) -> Ran {
        let ran = self.run(name);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran
    }

    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    pub fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        if args.contains(&"run") {
            // Each process reckons from its own start: two at one moment would begin in any order.
            self.later(Span::SECOND);
        }
        let output = tempfile::tempdir().expect("a directory");
        let file = |name: &str| File::create(output.path().join(name)).expect("a file");
        let child = Command::new(PLANB)
            .arg("--root")
            .arg(self.at("root"))
            .args(["--now", &self.now().format(&Rfc3339).expect("a time")])
            .args(args)
            .env_remove("INVOCATION_ID")
            .env_remove("TRIGGER_UNIT")
            .env_remove("JOURNAL_STREAM")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("planb starts");
        Running { child, output }
    }

    pub fn now(&self) -> OffsetDateTime {
        self.now.get()
    }

    pub fn later(&self, by: Span) {
        self.now.set(self.now() + by);
    }

    pub fn set_clock(&self, now: OffsetDateTime) {
        self.now.set(now);
    }

    /// Calls planb for JSON.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let ran = self.planb(args);
        let json: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
        assert!(json["version"] == 1, "{json:#}");
        json
    }

    /// The names of a fileset's snapshots, oldest first.
    #[track_caller]
    pub fn snapshots(&self, name: &str) -> Vec<String> {
        let json = self.json(&["snapshots", "--json", name]);
        let listed = json["snapshots"].as_array().expect("a list").iter();
        listed.map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// The files of a snapshot.
    pub fn data(&self, fileset: &str, snapshot: &str) -> PathBuf {
        self.at("backups").join(fileset).join(snapshot).join("data")
    }

    /// The files of the newest snapshot.
    #[track_caller]
    pub fn newest(&self, fileset: &str) -> PathBuf {
        self.data(fileset, self.snapshots(fileset).last().expect("a snapshot"))
    }

    /// The records of a fileset, the newest first.
    #[track_caller]
    pub fn runs(&self, name: &str) -> Vec<Value> {
        self.json(&["history", "--json", "-n", "1000", name])["runs"].as_array().expect("a list").clone()
    }

    /// The newest record of a fileset.
    #[track_caller]
    pub fn last(&self, name: &str) -> Value {
        self.runs(name).into_iter().next().expect("a run")
    }

    /// What `planb list` says of a fileset.
    #[track_caller]
    pub fn listed(&self, name: &str) -> Value {
        let json = self.json(&["list", "--json"]);
        let filesets = json["filesets"].as_array().expect("a list").iter();
        filesets.into_iter().find(|entry| entry["name"] == name).expect("it is listed").clone()
    }

    /// Installs a hook that writes down all it is told.
    pub fn listen(&self) {
        let heard = self.at("heard");
        let heard = heard.to_str().expect("utf-8").replace('\'', r"'\''");
        self.hook(
            "50-listen",
            &format!(
                "f='{heard}'/$(date +%s%N)\nenv -0 >\"$f.env\"\ncat >\"$f.json\"\nmv \"$f.env\" \"$f.heard\""
            ),
        );
    }

    pub fn hook(&self, name: &str, script: &str) {
        executable(&self.at("root/etc/planb/post-backup.d").join(name), &format!("#!/bin/sh\n{script}\n"));
    }

    /// What the hook of [`Self::listen`] has been told so far.
    pub fn heard(&self) -> Vec<Heard> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.at("heard"))
            .expect("listed")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|end| end == "heard"))
            .collect();
        files.sort();
        let hear = |path: &PathBuf| {
            let env = String::from_utf8(fs::read(path).expect("read")).expect("utf-8");
            let env = env.split_terminator('\0').filter_map(|pair| pair.split_once('='));
            let run = fs::read(path.with_extension("json")).expect("read");
            Heard {
                env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                run: serde_json::from_slice(&run).expect("JSON"),
            }
        };
        files.iter().map(hear).collect()
    }

    /// The last thing a hook was told.
    #[track_caller]
    pub fn last_heard(&self) -> Heard {
        self.heard().pop().expect("a hook heard something")
    }

    /// Bytes of the tree under construction, or of the live one.
    pub fn received(&self, fileset: &str) -> u64 {
        fn bytes(dir: &Path) -> u64 {
            let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
            entries
                .map(|entry| match entry.metadata() {
                    Ok(meta) if meta.is_dir() => bytes(&entry.path()),
                    Ok(meta) if meta.is_file() => meta.len(),
                    _ => 0,
                })
                .sum()
        }
        let dataset = self.at("backups").join(fileset);
        bytes(&dataset.join(".new")) + bytes(&dataset.join("data"))
    }

    /// Waits until so much of the source has come.
    #[track_caller]
    pub fn wait_until_received(&self, fileset: &str, bytes: u64) {
        wait_for(&format!("{bytes} bytes of {fileset}"), || self.received(fileset) >= bytes);
    }

    /// Looks for what a finished run must not leave below /run/planb: live states, tickets, scratch directories.
    #[track_caller]
    pub fn assert_nothing_left_behind(&self) {
        let mut found: Vec<PathBuf> = Vec::new();
        for name in ["live", "queue", "scratch", "rehearsal"] {
            let dir = self.at("root/run/planb").join(name);
            found.extend(fs::read_dir(dir).into_iter().flatten().map(|entry| entry.expect("listed").path()));
        }
        assert!(found.is_empty(), "{found:?}");
    }

    /// Checks that what went wrong is told alike by everything that tells: exit code, snapshots, record and hook.
    #[track_caller]
    pub fn assert_came_to_nothing(&self, ran: &Ran, fileset: &str, code: i32, result: &str, words: &[&str]) {
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let record = self.last(fileset);
        assert_eq!(record["result"], result, "{record:#}");
        assert!(record["snapshot"].is_null() && record["path"].is_null(), "{record:#}");
        assert_eq!(record["destroyed"], serde_json::json!([]));
        let error = record["error"].as_str().expect("an error");
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
        let heard = self.last_heard();
        assert_eq!(heard.run["id"], record["id"]);
        assert_eq!(heard.env["PLANB_RESULT"], result);
        assert_eq!(heard.env["PLANB_ERROR"], error);
        assert_eq!(heard.env["PLANB_SNAPSHOT"], "");
        self.assert_nothing_left_behind();
    }
}

/// A path as a value of TOML.
pub fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_str().expect("utf-8"))
}

/// What is included where nothing is said.
fn everything(rsync: &str) -> &'static str {
    if rsync.contains("include =") { "" } else { "include = [\"/\"]\n" }
}

/// Whether this test can be done as who we are. Says so where it cannot, and fails where every test must be done.
pub fn is_root_for(test: &str) -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    skip(test, "needs root");
    false
}

fn skip(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why}");
    if let Ok(file) = std::env::var("PLANB_TEST_SKIPS") {
        use std::io::Write;
        let mut file =
            File::options().append(true).create(true).open(file).expect("a file for skipped tests");
        writeln!(file, "{test}: {why}").expect("written");
    }
}

/// The keys of a JSON object, in the order in which they were printed. The first object that has the first key.
pub fn assert_keys_in_order(json: &str, keys: &[&str]) {
    let start = json.find(&format!("\"{}\":", keys[0])).unwrap_or_else(|| panic!("no {} in {json}", keys[0]));
    let mut rest = &json[start..];
    for key in keys {
        let at = rest.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} is not next in {rest}"));
        rest = &rest[at..];
    }
}

pub fn chmod(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}
