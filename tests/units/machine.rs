//! A machine of the lab (tests/lab/README.md), and the package to install on it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const PLANB: &str = env!("CARGO_BIN_EXE_planb");

/// A running machine, forgotten in the end.
pub struct Machine(String);

impl Machine {
    /// Absent where this computer cannot run machines: the test `test` is skipped then, and says so.
    pub fn start(test: &str, release: &str) -> Option<Self> {
        let name = format!("{test}-{release}");
        let started = lab(&["start", &name, release], b"");
        if started.status.code() == Some(77) {
            let why = String::from_utf8_lossy(&started.stderr).trim().to_owned();
            skipped(test, &why);
            return None;
        }
        assert!(started.status.success(), "{}", text(&started));
        Some(Self(name))
    }

    /// Runs a script for sh, which stops at its first error. What it printed.
    pub fn sh(&self, script: &str) -> String {
        let output = self.try_sh(script);
        assert!(output.status.success(), "{script}\n{}", text(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    pub fn try_sh(&self, script: &str) -> Output {
        lab(&["run", &self.0, "sh", "-euc", script], b"")
    }

    pub fn write(&self, path: &str, mode: &str, text: &str) {
        let output = lab(&["run", &self.0, "install", "-D", "-m", mode, "/dev/stdin", path], text.as_bytes());
        assert!(output.status.success(), "{}", self::text(&output));
    }

    /// Installs a package as apt would.
    pub fn install(&self, package: &Path) {
        let package = package.to_str().expect("a plain path");
        let pushed = lab(&["push", &self.0, package, "/root/planb.deb"], b"");
        assert!(pushed.status.success(), "{}", text(&pushed));
        self.sh("dpkg --install /root/planb.deb >&2");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        lab(&["stop", &self.0], b"");
    }
}

fn lab(arguments: &[&str], input: &[u8]) -> Output {
    let mut machine = Command::new(Path::new(HERE).join("tests/lab/machine"));
    machine.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut machine = machine.spawn().expect("the lab's script runs");
    // A command that reads nothing may be gone already.
    let _ = machine.stdin.take().expect("it was piped").write_all(input);
    machine.wait_with_output().expect("it ends")
}

#[expect(clippy::print_stderr, reason = "who runs the tests is told")]
fn skipped(test: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: in CI every test must run: {why}");
    eprintln!("skipped: {test}: {why}");
    if let Some(file) = std::env::var_os("PLANB_TEST_SKIPS") {
        let mut file =
            fs::OpenOptions::new().append(true).create(true).open(file).expect("the file of skips");
        writeln!(file, "{test}: {why}").expect("written");
    }
}

pub fn text(output: &Output) -> String {
    let Output { status, stdout, stderr } = output;
    format!("{status}\n{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}

/// The Debian package of the program under test, with all that `make install` installs.
pub fn package(directory: &Path) -> PathBuf {
    let (target, tree) = (directory.join("target"), directory.join("tree"));
    let completions = target.join("completions");
    fs::create_dir_all(&completions).expect("a directory");
    for (shell, file) in [("bash", "planb"), ("zsh", "_planb"), ("fish", "planb.fish")] {
        let script = done(Command::new(PLANB).args(["completions", shell]));
        fs::write(completions.join(file), script).expect("a file");
    }
    done(Command::new("make").current_dir(HERE).args(["install", "PREFIX=/usr", "SYSCONFDIR=/etc"]).args([
        format!("TARGET={}", target.display()),
        format!("PLANB={PLANB}"),
        format!("DESTDIR={}", tree.display()),
    ]));
    let package = directory.join("planb.deb");
    let mut build = Command::new(Path::new(HERE).join("debian/build"));
    // A program with all its debugging symbols takes a minute to compress.
    build.env("DPKG_DEB_COMPRESSOR_TYPE", "none");
    done(build.args([&tree, &package]).args(["0.1.0", PLANB]));
    package
}

fn done(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
    output.stdout
}
