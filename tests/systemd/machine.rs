//! A machine of the lab with PlanB on it, and a source: its own sshd, which lets PlanB's key in as root.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::{env, fs};

/// The releases that are supported.
pub const RELEASES: [&str; 2] = ["bookworm", "trixie"];

/// Exit status of the lab's programs where machines cannot be.
const CANNOT: i32 = 77;

const SETTINGS: &str = r#"
slots-per-source = 4
[storage.main]
type = "directory"
path = "/srv/backups"
[group.acme]
[defaults.rsync]
bwlimit = "none"
"#;

/// A source that is there, over ssh.
pub const SOURCE: &str = r#"[rsync]
host = "localhost"
user = "root"
source = "/srv/source"
include = ["/"]
ionice = "none"
sudo = false
"#;

/// Runs on the machine after it has started.
const PREPARE: &str = r#"
set -eu
journalctl --update-catalog
mkdir -p /srv/backups /srv/source/sub /root/.ssh
echo one >/srv/source/one
echo two >/srv/source/sub/two
ssh-keygen -q -t ed25519 -N "" -f /var/lib/planb/.ssh/id_ed25519
chown planb: /var/lib/planb/.ssh/id_ed25519*
cat /var/lib/planb/.ssh/id_ed25519.pub >/root/.ssh/authorized_keys
chmod 700 /root/.ssh
cat >/etc/planb/post-backup.d/10-heard <<'X'
#!/bin/sh
echo "heard $PLANB_FILESET $PLANB_RESULT $PLANB_TRIGGER $PLANB_RUN_ID $(id -un)"
X
chmod 755 /etc/planb/post-backup.d/10-heard
"#;

/// A running machine; it is stopped and forgotten when dropped.
pub struct Machine {
    name: String,
}

/// Why a test did not run, kept for `make check`; or the machine.
pub fn machine(test: &str, release: &str) -> Option<Machine> {
    let name = format!("{test}-{}", &release[..1]);
    let tree = install();
    let started = lab(&["start", &name, release, tree.path().to_str().expect("utf-8")]);
    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    if started.status.code() == Some(CANNOT) {
        skip(&format!("{test}: {}", said.trim()));
        return None;
    }
    assert!(started.status.success(), "{name} does not start: {said}");
    let machine = Machine { name };
    machine.write("/etc/planb/planb.toml", SETTINGS);
    machine.ok(PREPARE);
    Some(machine)
}

fn skip(why: &str) {
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "in CI every test must run: {why}");
    eprintln!("skipped: {why}");
    if let Ok(file) = env::var("PLANB_TEST_SKIPS") {
        use std::io::Write;
        let mut file =
            fs::File::options().append(true).create(true).open(file).expect("a file to note skips in");
        writeln!(file, "{why}").expect("written");
    }
}

/// What `make install` installs.
fn install() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let planb = env!("CARGO_BIN_EXE_planb");
    let target = directory.path().join("target");
    fs::create_dir_all(target.join("completions")).expect("a directory");
    for (shell, file) in [("bash", "planb"), ("zsh", "_planb"), ("fish", "planb.fish")] {
        let script = Command::new(planb).args(["completions", shell]).output().expect("planb").stdout;
        fs::write(target.join("completions").join(file), script).expect("written");
    }
    let tree = tempfile::tempdir().expect("a directory");
    let made = Command::new("make")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["install", "PREFIX=/usr", "SYSCONFDIR=/etc", &format!("PLANB={planb}")])
        .arg(format!("TARGET={}", target.display()))
        .arg(format!("DESTDIR={}", tree.path().display()))
        .output()
        .expect("make");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    tree
}

fn lab(arguments: &[&str]) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/machine");
    Command::new(program).args(arguments).stdin(Stdio::null()).output().expect("the lab")
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Machine {
    /// Runs a script in the machine.
    pub fn run(&self, script: &str) -> Said {
        let done = lab(&["run", &self.name, "bash", "-c", script]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Said { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) }
    }

    /// Runs a script that must succeed, and returns what it printed.
    pub fn ok(&self, script: &str) -> String {
        let said = self.run(script);
        assert_eq!(said.code, Some(0), "{script}\n{said:?}\n{}", self.journal());
        said.out
    }

    /// Runs a script that must end with this code.
    pub fn exits(&self, code: i32, script: &str) -> Said {
        let said = self.run(script);
        assert_eq!(said.code, Some(code), "{script}\n{said:?}\n{}", self.journal());
        said
    }

    /// Waits until a condition of the shell is true (of the journal: ask it without `-u`, since journald no longer knows
    /// the unit of who had ended by the time it looked), at the longest so many seconds.
    pub fn wait(&self, seconds: u32, condition: &str) {
        let script = format!(
            "end=$((SECONDS + {seconds})); until {condition}; do [ $SECONDS -lt $end ] || exit 1; sleep 0.1; done"
        );
        let said = self.run(&script);
        assert_eq!(said.code, Some(0), "never so: {condition}\n{said:?}\n{}", self.journal());
    }

    pub fn write(&self, path: &str, text: &str) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, text).expect("written");
        let pushed = lab(&["push", &self.name, file.to_str().expect("utf-8"), path]);
        assert!(pushed.status.success(), "{path}: {}", String::from_utf8_lossy(&pushed.stderr));
    }

    /// Drops a fileset into conf.d.
    pub fn drop_in(&self, name: &str, text: &str) {
        self.write(&format!("/etc/planb/conf.d/{name}.toml"), text);
    }

    /// Makes systemd follow what was dropped.
    pub fn reload(&self) {
        self.ok("planb reload");
    }

    /// A power cut, and the next boot.
    pub fn crash_and_boot(&self) {
        assert!(lab(&["crash", &self.name]).status.success());
        let booted = lab(&["start", &self.name]);
        assert!(booted.status.success(), "{}", String::from_utf8_lossy(&booted.stderr));
    }

    /// The last run of a fileset, of `planb history --json`.
    pub fn last(&self, fileset: &str) -> serde_json::Value {
        let text = self.ok(&format!("planb history {fileset} -n 1 --json"));
        let value: serde_json::Value = serde_json::from_str(&text).expect("json");
        value["runs"][0].clone()
    }

    /// One fileset of `planb list --json`.
    pub fn listed(&self, fileset: &str) -> serde_json::Value {
        let text = self.run("planb list --json").out;
        let value: serde_json::Value = serde_json::from_str(&text).expect("json");
        let all = value["filesets"].as_array().expect("a list");
        all.iter().find(|entry| entry["name"] == fileset).expect("listed").clone()
    }

    /// What is the end of the journal, for a test that failed.
    pub fn journal(&self) -> String {
        self.run("journalctl --no-pager -o short-precise -n 120 -u 'planb*' 2>&1").out
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        lab(&["stop", &self.name]);
    }
}

/// A test of each release.
macro_rules! on_each_release {
    ($($(#[$doc:meta])* fn $test:ident($machine:ident: &Machine, $short:literal) $body:block)*) => {
        $(
            $(#[$doc])*
            fn $test($machine: &$crate::machine::Machine) $body
        )*
        mod bookworm {
            $(#[test]
            fn $test() {
                if let Some(machine) = $crate::machine::machine($short, $crate::machine::RELEASES[0]) {
                    super::$test(&machine);
                }
            })*
        }
        mod trixie {
            $(#[test]
            fn $test() {
                if let Some(machine) = $crate::machine::machine($short, $crate::machine::RELEASES[1]) {
                    super::$test(&machine);
                }
            })*
        }
    };
}
pub(crate) use on_each_release;
