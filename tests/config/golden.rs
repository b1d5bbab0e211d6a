//! Golden trees: tests/config/{valid,invalid}/CASE.
//!
//! A case has the files (`etc`, `run`, `usr`), perhaps a `setup` for sh that makes in the copied tree what cannot lie in
//! a repository (modes, pipes, odd bytes), perhaps `commands` (one a line; else `check`, and `check --show` for
//! every fileset of a valid case), perhaps an empty file `unprivileged`, and `expected`: what each command printed and how
//! it ended. `UPDATE_EXPECT=1 cargo nextest run config` writes those anew; read them before you commit them.

use crate::tree::{Tree, transcript};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn cases(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(kind);
    let mut cases: Vec<PathBuf> =
        fs::read_dir(&directory).expect("the cases").map(|entry| entry.expect("a case").path()).collect();
    cases.sort();
    cases
}

/// The case's tree, as it lies on disk when the commands run.
fn tree(case: &Path) -> Tree {
    let tree = Tree::new();
    for part in ["etc", "run", "usr"] {
        if case.join(part).exists() {
            tree.copy(&case.join(part));
        }
    }
    let setup = case.join("setup");
    if setup.exists() {
        let status = Command::new("sh").arg("-eu").arg(&setup).current_dir(tree.path()).status();
        assert!(status.expect("sh runs").success(), "{}", setup.display());
    }
    tree
}

/// The filesets that have files.
fn filesets(tree: &Tree) -> BTreeSet<String> {
    let directories = ["etc", "run", "usr/lib"].map(|top| tree.path().join(top).join("planb/conf.d"));
    let entries = directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten();
    entries
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect()
}

fn commands(case: &Path, tree: &Tree, is_valid: bool) -> Vec<String> {
    if let Ok(commands) = fs::read_to_string(case.join("commands")) {
        return commands.lines().map(str::to_owned).collect();
    }
    let shows = filesets(tree).into_iter().filter(|_| is_valid).map(|name| format!("check --show {name}"));
    std::iter::once("check".to_owned()).chain(shows).collect()
}

/// Runs a case; the difference to what is expected, where there is one.
fn difference(case: &Path, is_valid: bool) -> Option<String> {
    let tree = tree(case);
    let mut seen = String::new();
    for command in commands(case, &tree, is_valid) {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let output = if case.join("unprivileged").exists() {
            tree.planb_unprivileged(&arguments)
        } else {
            tree.planb(&arguments)
        };
        if output.status.success() != is_valid {
            return Some(format!("{}: planb {command}:\n{}", case.display(), transcript(&tree, &output)));
        }
        write!(seen, "$ planb {command}\n{}", transcript(&tree, &output)).expect("a string");
    }
    let expected = case.join("expected");
    if fs::read_to_string(&expected).is_ok_and(|text| text == seen) {
        return None;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&expected, seen).expect("the expectation");
        return None;
    }
    let found = tree.path().join("found");
    fs::write(&found, seen).expect("what was found");
    let mut diff = Command::new("diff");
    diff.args(["-uN", "--label=expected", "--label=found"]).args([&expected, &found]);
    let diff = diff.output().expect("diff (Debian: diffutils) runs");
    Some(format!("{}\n{}", case.display(), String::from_utf8_lossy(&diff.stdout)))
}

fn compare(kind: &str, at_least: usize) {
    let cases = cases(kind);
    assert!(cases.len() >= at_least, "there were {at_least} {kind} cases: {}", cases.len());
    let differences: Vec<String> =
        cases.iter().filter_map(|case| difference(case, kind == "valid")).collect();
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), cases.len(), differences.join("\n"));
}

#[test]
fn valid_configuration_comes_to_exactly_this() {
    compare("valid", 10);
}

#[test]
fn invalid_configuration_is_told_in_exactly_these_words() {
    compare("invalid", 60);
}

#[test]
fn what_is_shown_is_itself_a_drop_in_that_says_the_same() {
    let without_origin = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap_or(line).trim_end().to_owned()).collect()
    };
    let mut seen = 0;
    for case in cases("valid") {
        let tree = tree(&case);
        for name in filesets(&tree) {
            let shown = tree.planb(&["check", "--show", &name]);
            let shown = String::from_utf8(shown.stdout).expect("UTF-8");
            if shown.is_empty() {
                continue;
            }
            let file = format!("etc/planb/conf.d/{name}.toml");
            // Where a link was, a file is now.
            let _ = fs::remove_file(tree.path().join(&file));
            tree.write(&file, &shown);
            let again = tree.planb(&["check", "--show", &name]);
            assert_eq!(
                without_origin(&String::from_utf8(again.stdout).expect("UTF-8")),
                without_origin(&shown),
                "{}: {name}: {}",
                case.display(),
                String::from_utf8_lossy(&again.stderr)
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "valid cases have filesets: {seen}");
}
