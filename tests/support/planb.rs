//! PlanB on a computer of the lab: how it gets there, something to back up, and what it says of itself.

use crate::lab::{Machine, Vm};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const PLANB: &str = env!("CARGO_BIN_EXE_planb");

/// What planb.toml is at first.
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

/// The source, its sshd, which lets PlanB's key in as root, and a hook that says what it heard.
const PREPARE: &str = r#"
set -eu
journalctl --update-catalog
mkdir -p /srv/backups /srv/source/sub /root/.ssh
echo one >/srv/source/one
echo two >/srv/source/sub/two
ssh-keygen -q -t ed25519 -N "" -f /var/lib/planb/.ssh/id_ed25519
chown planb: /var/lib/planb/.ssh/id_ed25519*
cat /var/lib/planb/.ssh/id_ed25519.pub >>/root/.ssh/authorized_keys
chmod 700 /root/.ssh
cat >/etc/planb/post-backup.d/10-heard <<'X'
#!/bin/sh
echo "heard $PLANB_FILESET $PLANB_RESULT $PLANB_TRIGGER $PLANB_RUN_ID $(id -un)"
X
chmod 755 /etc/planb/post-backup.d/10-heard
"#;

/// A machine with PlanB.
pub fn machine(test: &str, release: &str) -> Option<Machine> {
    let (_directory, tree) = installed();
    let machine = Machine::start(test, release, &[&tree])?;
    machine.furnish();
    Some(machine)
}

/// A virtual machine with PlanB.
pub fn vm(test: &str, release: &str) -> Option<Vm> {
    let (_directory, tree) = stripped();
    let sums = "find . -type f -exec sha256sum {} + | sort; qemu-system-x86_64 --version";
    let sums = done(Command::new("sh").args(["-c", sums]).current_dir(&tree));
    let disk =
        Command::new(Path::new(HERE).join("tests/lab/disk")).arg(release).output().expect("it runs").stdout;
    let key = [&sums, &disk, include_bytes!("../lab/vm").as_slice(), SETTINGS.as_bytes(), PREPARE.as_bytes()]
        .concat();
    Vm::prepared(test, release, &String::from_utf8_lossy(&key), |vm| furnish(vm, &tree))
}

/// The same, which has the other's second disk.
pub fn vm_with_disk_of(test: &str, release: &str, other: &Vm) -> Option<Vm> {
    let vm = Vm::start_with_disk_of(test, release, other)?;
    let (_directory, tree) = stripped();
    furnish(&vm, &tree);
    Some(vm)
}

fn furnish(vm: &Vm, tree: &Path) {
    vm.push(tree, "/");
    vm.ok("systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && systemctl reload dbus.service");
    vm.furnish();
}

/// What `make install` installs, without the symbols of the debugger: they are most of it, and an emulated network is slow.
fn stripped() -> (TempDir, PathBuf) {
    let (directory, tree) = installed();
    done(Command::new("strip").args(["--strip-debug".as_ref(), tree.join("usr/bin/planb").as_os_str()]));
    (directory, tree)
}

/// What `make install` installs, as a tree.
fn installed() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let (target, tree) = (directory.path().join("target"), directory.path().join("tree"));
    let completions = target.join("completions");
    fs::create_dir_all(&completions).expect("a directory");
    for (shell, file) in [("bash", "planb"), ("zsh", "_planb"), ("fish", "planb.fish")] {
        let script = done(Command::new(PLANB).args(["completions", shell]));
        fs::write(completions.join(file), script).expect("written");
    }
    done(Command::new("make").current_dir(HERE).args(["install", "PREFIX=/usr", "SYSCONFDIR=/etc"]).args([
        format!("TARGET={}", target.display()),
        format!("PLANB={PLANB}"),
        format!("DESTDIR={}", tree.display()),
    ]));
    (directory, tree)
}

/// The Debian package with all that `make install` installs.
pub fn package() -> (TempDir, PathBuf) {
    let (directory, tree) = installed();
    let package = directory.path().join("planb.deb");
    let mut build = Command::new(Path::new(HERE).join("debian/build"));
    // A program with all its debugging symbols takes a minute to compress.
    build.env("DPKG_DEB_COMPRESSOR_TYPE", "none");
    done(build.args([&tree, &package]).args(["0.1.0", PLANB]));
    (directory, package)
}

fn done(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Machine {
    fn furnish(&self) {
        self.write("/etc/planb/planb.toml", SETTINGS);
        self.ok(PREPARE);
    }

    /// Drops a fileset into conf.d.
    #[track_caller]
    pub fn drop_in(&self, name: &str, text: &str) {
        self.write(&format!("/etc/planb/conf.d/{name}.toml"), text);
    }

    /// Makes systemd follow what was dropped.
    #[track_caller]
    pub fn reload(&self) {
        self.ok("planb reload");
    }

    /// The last run of a fileset, of `planb history --json`.
    #[track_caller]
    pub fn last(&self, fileset: &str) -> serde_json::Value {
        let text = self.ok(&format!("planb history {fileset} -n 1 --json"));
        let value: serde_json::Value = serde_json::from_str(&text).expect("json");
        value["runs"][0].clone()
    }

    /// One fileset of `planb list --json`.
    #[track_caller]
    pub fn listed(&self, fileset: &str) -> serde_json::Value {
        let text = self.run("planb list --json").out;
        let value: serde_json::Value = serde_json::from_str(&text).expect("json");
        let all = value["filesets"].as_array().expect("a list");
        all.iter().find(|entry| entry["name"] == fileset).expect("listed").clone()
    }
}
