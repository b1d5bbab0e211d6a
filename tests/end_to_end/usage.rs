//! Wrong usage: told on stderr, with nothing on stdout, exit code 2.

use crate::world::{PLANB, World};
use std::process::Command;

#[test]
fn wrong_usage_exits_with_2() {
    let world = World::new();
    world.local("web1", "", "");
    for args in [
        &[][..],
        &["no-such-command"],
        &["list", "--no-such-option"],
        &["list", "--json", "--zabbix"],
        &["list", "extra"],
        &["status"],
        &["status", "no-such-fileset"],
        &["run"],
        &["run", "--all", "web1"],
        &["run", "--keep", "Not A Label", "web1"],
        &["run", "--keep", "planb", "web1"],
        &["run", "no-such-fileset"],
        &["run", "../web1"],
        &["snapshots"],
        &["snapshots", "no-such-fileset"],
        &["prune", "no-such-fileset"],
        &["prune", "--dry-run"],
        &["history", "-n", "many"],
        &["history", "Not A Name"],
        &["retention"],
        &["retention", "--retain", "sometimes"],
        &["retention", "--retain", "1d", "--timezone", "Mars/Olympus"],
        &["check", "no-such-fileset"],
        &["check", "--show", "no-such-fileset"],
        &["--root", "", "list"],
        &["--now", "yesterday", "list"],
    ] {
        let output = Command::new(PLANB)
            .arg("--root")
            .arg(world.at("root"))
            .args(args)
            .output()
            .expect("planb starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(output.stdout.is_empty() && !said.is_empty(), "{args:?}");
    }
}

#[test]
fn a_root_of_nothing_is_wrong_usage() {
    for args in [&["--root", "", "list"][..], &["--root="], &["list", "--root", ""]] {
        let output = Command::new(PLANB).args(args).output().expect("planb starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("--root"), "{said}");
    }
    // Only a world of one's own has a clock of its own.
    let output =
        Command::new(PLANB).args(["--now", "2026-01-02T03:04:05Z", "list"]).output().expect("planb starts");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn help_and_version_are_data() {
    for args in [&["--help"][..], &["--version"], &["run", "--help"]] {
        let output = Command::new(PLANB).args(args).output().expect("planb starts");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains("--now"), "an option for tests alone");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let world = World::new();
    for n in 0..300 {
        world.local(&format!("fileset-{n}"), "", "");
    }
    let root = world.at("root");
    for command in ["list", "list --json", "history --json", "check", "--help", "completions bash"] {
        let script = format!("{{ '{PLANB}' --root \"$1\" {command}; echo $? >&2; }} | true");
        let output = Command::new("sh").args(["-c", &script, "sh"]).arg(&root).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim(), "0", "{command}");
    }
}
