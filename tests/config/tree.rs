//! A private world for one test: a root directory with configuration in it, and the program to look at it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const PLANB: &str = env!("CARGO_BIN_EXE_planb");

/// A root directory, removed in the end.
pub struct Tree(tempfile::TempDir);

impl Tree {
    pub fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary directory"));
        // Open to the unprivileged user that some cases run as.
        mode(tree.path(), 0o755);
        tree
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Copies `from` into the root; whatever umask the checkout had, files come out 0644 and directories 0755.
    pub fn copy(&self, from: &Path) {
        copy(from, &self.path().join(from.file_name().expect("a directory with a name")));
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(&path, text).expect("a file");
        mode(&path, 0o644);
        for directory in path.ancestors().skip(1).take_while(|directory| *directory != self.path()) {
            mode(directory, 0o755);
        }
    }

    /// Runs `planb --root ROOT ARGUMENTS`.
    pub fn planb(&self, arguments: &[&str]) -> Output {
        Command::new(PLANB).arg("--root").arg(self.path()).args(arguments).output().expect("planb runs")
    }

    /// The same as a user without privilege: as `nobody` where the test is root, else as whoever runs it.
    pub fn planb_unprivileged(&self, arguments: &[&str]) -> Output {
        if !nix::unistd::geteuid().is_root() {
            return self.planb(arguments);
        }
        // The build directory may be closed to others.
        let program: PathBuf = self.path().join("planb");
        fs::copy(PLANB, &program).expect("a copy of the program");
        mode(&program, 0o755);
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .arg("--root")
            .arg(self.path())
            .args(arguments)
            .output()
            .expect("setpriv (Debian: util-linux) runs")
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

fn copy(from: &Path, to: &Path) {
    let metadata = fs::symlink_metadata(from).expect("what is copied");
    if metadata.is_dir() {
        fs::create_dir_all(to).expect("a directory");
        mode(to, 0o755);
        for entry in fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if metadata.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from).expect("a link"), to).expect("a link");
    } else {
        fs::copy(from, to).expect("a file");
        mode(to, 0o644);
    }
}

/// What a run printed, data first, and how it ended, with the root's path as `ROOT`.
pub fn transcript(tree: &Tree, output: &Output) -> String {
    let root = tree.path().to_str().expect("a plain path");
    let mut text = String::new();
    for part in [&output.stdout, &output.stderr] {
        text.push_str(&String::from_utf8(part.clone()).expect("planb prints UTF-8").replace(root, "ROOT"));
    }
    if !output.status.success() {
        use std::fmt::Write;
        writeln!(text, "[{}]", output.status).expect("a string");
    }
    text
}
