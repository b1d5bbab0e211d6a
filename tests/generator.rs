//! Golden trees: tests/generator/CASE.
//!
//! A case has the configuration (`etc`, perhaps `run` and `usr`), and what comes of it: `expected`, the generator's directory
//! with every file and link as it is, and perhaps `said`, what was printed. `UPDATE_EXPECT=1 cargo nextest run
//! generator` writes both anew; read them before you commit them.
#![expect(clippy::disallowed_methods, reason = "tests run the program and read their own environment")]

#[expect(dead_code, reason = "the other tests of the configuration use the rest")]
#[path = "config/tree.rs"]
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tree::{PLANB, Tree};

/// Every file below a directory with its text, every link with its target after an arrow, and empty directories.
fn contents(directory: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(top: &Path, directory: &Path, found: &mut BTreeMap<PathBuf, String>) {
        let entries: Vec<_> = fs::read_dir(directory).into_iter().flatten().collect();
        for entry in entries {
            let path = entry.expect("an entry").path();
            let below = path.strip_prefix(top).expect("it is below").to_owned();
            let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
            if kind.is_symlink() {
                let target = fs::read_link(&path).expect("a link");
                found.insert(below, format!("-> {}", target.display()));
            } else if kind.is_dir() {
                let before = found.len();
                walk(top, &path, found);
                if found.len() == before {
                    found.insert(below, "(empty directory)".into());
                }
            } else {
                found.insert(below, fs::read_to_string(&path).expect("text"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(directory, directory, &mut found);
    found
}

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generator");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(&directory).expect("the cases").map(|entry| entry.expect("a case").path()).collect();
    cases.sort();
    cases
}

/// The three directories that systemd gives, apart from the configuration.
struct Given(tempfile::TempDir);

impl Given {
    fn new() -> Self {
        let given = Self(tempfile::tempdir().expect("a temporary directory"));
        for name in ["normal", "early", "late"] {
            fs::create_dir(given.path(name)).expect("a directory");
        }
        given
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn generate(&self, tree: &Tree) -> Output {
        let mut command = Command::new(PLANB);
        command.arg("--root").arg(tree.path()).arg("generator");
        command.args(["normal", "early", "late"].map(|name| self.path(name)));
        command.output().expect("planb runs")
    }
}

fn update(case: &Path, found: &BTreeMap<PathBuf, String>, said: &str) {
    let expected = case.join("expected");
    let _ = fs::remove_dir_all(&expected);
    for (path, text) in found {
        let path = expected.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        match text.strip_prefix("-> ") {
            Some(target) => symlink(target, path).expect("a link"),
            None => fs::write(path, text).expect("a file"),
        }
    }
    let _ = fs::remove_file(case.join("said"));
    if !said.is_empty() {
        fs::write(case.join("said"), said).expect("a file");
    }
}

#[test]
fn configuration_becomes_exactly_these_files() {
    let cases = cases();
    assert!(cases.len() >= 10, "there were ten cases: {}", cases.len());
    for case in cases {
        let tree = Tree::new();
        for part in ["etc", "run", "usr"].map(|part| case.join(part)) {
            if part.exists() {
                tree.copy(&part);
            }
        }
        let root = tree.path().to_str().expect("a plain path");
        let before = contents(tree.path());
        let given = Given::new();
        let output = given.generate(&tree);
        let said = String::from_utf8(output.stderr).expect("UTF-8").replace(root, "");
        assert!(output.status.success(), "{}: {said}", case.display());
        assert_eq!(output.stdout, b"", "{}", case.display());

        let mut found = contents(&given.path("normal"));
        for text in found.values_mut() {
            *text = text.replace(root, "");
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            update(&case, &found, &said);
        }
        assert_eq!(found, contents(&case.join("expected")), "{}", case.display());
        assert_eq!(said, fs::read_to_string(case.join("said")).unwrap_or_default(), "{}", case.display());

        assert!(contents(&given.path("early")).is_empty() && contents(&given.path("late")).is_empty());
        assert_eq!(contents(tree.path()), before, "{}: nothing else is written", case.display());
    }
}

#[test]
fn it_is_a_generator_by_the_name_it_is_called_by() {
    let tree = Tree::new();
    tree.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generator/two-storages/etc"));
    let (given, again) = (Given::new(), Given::new());
    let link = tree.path().join("planb-generator");
    symlink(PLANB, &link).expect("a link");
    let mut command = Command::new(&link);
    command.args(["normal", "early", "late"].map(|name| given.path(name)));
    // systemd gives directories and nothing else; the test has another root than the machine's.
    let output = command.arg("--root").arg(tree.path()).output().expect("planb runs");
    assert!(output.status.success(), "{output:?}");
    again.generate(&tree);
    let found = contents(&given.path("normal"));
    assert!(!found.is_empty());
    assert_eq!(found, contents(&again.path("normal")));
}

#[test]
fn a_second_call_changes_nothing_and_no_link_leads_out() {
    let tree = Tree::new();
    tree.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generator/two-storages/etc"));
    let given = Given::new();
    assert!(given.generate(&tree).status.success());
    let first = contents(&given.path("normal"));
    assert!(given.generate(&tree).status.success());
    assert_eq!(contents(&given.path("normal")), first);

    for (path, target) in [("planb@on-disk.timer.d", ""), ("planb@on-disk.timer.d/50-planb.conf", "file")] {
        let given = Given::new();
        let elsewhere = Given::new();
        let planted = given.path("normal").join(path);
        fs::create_dir_all(planted.parent().expect("a parent")).expect("a directory");
        symlink(elsewhere.path("normal").join(target), &planted).expect("a link");
        let output = given.generate(&tree);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("failed to write"), "{output:?}");
        assert!(contents(&elsewhere.path("normal")).is_empty());
    }
}
