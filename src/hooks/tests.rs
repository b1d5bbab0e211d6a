//! Real programs as hooks.

use super::*;
use crate::fileset::progress::{Totals, Transferred};
use crate::fileset::record::{Outcome, Trigger};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use time::macros::datetime;

const STARTED: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// Two hook directories, the winner first.
struct Hooks {
    dirs: [PathBuf; 2],
    _root: tempfile::TempDir,
}

impl Hooks {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        // For hooks that run as somebody else.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let dirs = ["etc", "lib"].map(|dir| root.path().join(dir));
        for dir in &dirs {
            fs::create_dir(dir).expect("it can be made");
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        Self { dirs, _root: root }
    }

    fn add(&self, dir: usize, name: &str, script: &str) -> PathBuf {
        self.add_as(dir, name, script, 0o755)
    }

    fn add_as(&self, dir: usize, name: &str, script: &str, mode: u32) -> PathBuf {
        let path = self.dirs[dir].join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        path
    }

    /// What the hooks said, and what became of them.
    fn run(&self, record: &Record) -> (Vec<String>, Vec<Report>) {
        self.run_as(record, &Identity::Invoker, TIMEOUT, &Stop::new().expect("a socket pair"))
    }

    fn run_as(
        &self,
        record: &Record,
        identity: &Identity,
        patience: Duration,
        stop: &Stop,
    ) -> (Vec<String>, Vec<Report>) {
        let event =
            Event { run: record, size: Some(12345), last_success: Some(STARTED), first_failure: None };
        let mut lines = Vec::new();
        let reports = run(&self.dirs, &event, identity, patience, stop, &mut |hook, line| {
            lines.push(format!("{hook}: {line}"));
        });
        (lines, reports)
    }
}

fn success() -> Record {
    Record {
        id: "0123456789abcdef0123456789abcdef".into(),
        fileset: "web1".parse().expect("a good name"),
        group: Some("acme".parse().expect("a good name")),
        tags: vec!["double-backup".parse().expect("a good tag"), "gold".parse().expect("a good tag")],
        trigger: Trigger::Timer,
        started: STARTED,
        finished: Some(STARTED + Duration::from_secs(90)),
        result: Some(Outcome::Success),
        error: None,
        exit_code: Some(0),
        snapshot: Some("planb-20260102T0304Z".into()),
        dataset: "acme-web1".parse().expect("a good name"),
        path: Some("/srv/backups/acme-web1/data".into()),
        transferred: Some(Transferred {
            totals: Some(Totals { files: 9, bytes: 900 }),
            files: Some(3),
            bytes: Some(300),
        }),
        destroyed: vec![],
    }
}

fn failure() -> Record {
    Record {
        result: Some(Outcome::Failure),
        error: Some("ssh: no route to host\nand a second line".into()),
        exit_code: Some(255),
        group: None,
        tags: vec![],
        snapshot: None,
        path: None,
        transferred: None,
        ..success()
    }
}

fn troubles(reports: &[Report]) -> Vec<String> {
    reports.iter().filter(|report| !report.is_clean()).map(Report::to_string).collect()
}

#[test]
fn the_environment_is_that_of_the_contract_and_nothing_more() {
    let hooks = Hooks::new();
    hooks.add(0, "all", "env | LC_ALL=C sort");
    let (lines, reports) = hooks.run(&success());
    assert_eq!(troubles(&reports), [""; 0]);
    let expected = "\
all: LC_ALL=C.UTF-8
all: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
all: PLANB_BYTES_TRANSFERRED=300
all: PLANB_DATASET=acme-web1
all: PLANB_DURATION=90
all: PLANB_ERROR=
all: PLANB_FILESET=web1
all: PLANB_FILES_TRANSFERRED=3
all: PLANB_FINISHED=1767323135
all: PLANB_FIRST_FAILURE=
all: PLANB_GROUP=acme
all: PLANB_LAST_SUCCESS=1767323045
all: PLANB_PATH=/srv/backups/acme-web1/data
all: PLANB_RESULT=success
all: PLANB_RUN_ID=0123456789abcdef0123456789abcdef
all: PLANB_SIZE=12345
all: PLANB_SNAPSHOT=planb-20260102T0304Z
all: PLANB_STARTED=1767323045
all: PLANB_TAGS=double-backup gold
all: PLANB_TRIGGER=timer";
    let lines: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| !line.starts_with("all: PWD=")).collect();
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn every_outcome_reaches_hooks_as_what_it_is() {
    let hooks = Hooks::new();
    hooks.add(0, "result", "echo \"$PLANB_RESULT\"; cat; echo");
    for outcome in Outcome::ALL {
        let record = Record { result: Some(outcome), ..failure() };
        let (lines, _) = hooks.run(&record);
        assert_eq!(lines[0], format!("result: {outcome}"));
        let json: serde_json::Value =
            serde_json::from_str(lines[1].trim_start_matches("result: ")).expect("one line of JSON");
        assert_eq!((&json["result"], &json["error"]), (&outcome.as_str().into(), &failure().error.into()));
        assert_eq!(json["duration_s"], 90);
    }
    // A record that nobody closed is anything but a success.
    let (lines, _) = hooks.run(&Record { result: None, finished: None, ..success() });
    assert_eq!(lines[0], "result: killed");
}

#[test]
fn values_that_no_environment_can_hold_are_tamed() {
    let hooks = Hooks::new();
    hooks.add(0, "length", "printf '%s' \"$PLANB_ERROR\" | wc -c; wc -c");
    let error = "é\0".repeat(200_000);
    let (lines, reports) = hooks.run(&Record { error: Some(error), ..failure() });
    assert_eq!(troubles(&reports), [""; 0]);
    let count = |line: &str| line.trim_start_matches("length: ").trim().parse::<usize>().expect("a number");
    assert!(count(&lines[0]) < 33_000 && count(&lines[0]) > 32_000, "{lines:?}");
    assert!(count(&lines[1]) > 400_000, "the JSON has all of it: {lines:?}");
}

#[test]
fn hooks_run_by_name_and_the_first_directory_wins() {
    let hooks = Hooks::new();
    hooks.add(1, "30-c", "echo lib");
    hooks.add(1, "10-a", "echo lib");
    hooks.add(0, "30-c", "echo etc");
    hooks.add(0, "20-b", "echo etc");
    hooks.add(1, "40-masked", "echo masked");
    symlink("/dev/null", hooks.dirs[0].join("40-masked")).expect("it can be made");
    for leftover in [".hidden", "10-a~", "10-a.bak", "10-a.dpkg-old", "10-a.dpkg-dist"] {
        hooks.add(0, leftover, "echo leftover");
    }
    fs::create_dir(hooks.dirs[0].join("05-directory")).expect("it can be made");
    let (lines, reports) = hooks.run(&success());
    assert_eq!(lines, ["10-a: lib", "20-b: etc", "30-c: etc"]);
    assert_eq!(reports.len(), 3);
}

#[test]
fn a_hook_that_fails_or_hangs_is_reported_and_the_next_one_runs() {
    let hooks = Hooks::new();
    hooks.add(0, "10-fails", "echo oops >&2; printf 'no newline'; exit 3");
    hooks.add(0, "20-hangs", "echo hanging; exec sleep 1000");
    fs::write(hooks.add(0, "30-nothing", ""), "#!/no/such/interpreter\n").expect("it can be written");
    hooks.add(0, "40-good", "echo good");
    let stop = Stop::new().expect("a socket pair");
    let (mut lines, reports) = hooks.run_as(&success(), &Identity::Invoker, Duration::from_secs(1), &stop);
    // The two outputs of one hook come in any order.
    lines.sort_unstable();
    assert_eq!(lines, ["10-fails: no newline", "10-fails: oops", "20-hangs: hanging", "40-good: good"]);
    let troubles = troubles(&reports);
    assert_eq!(troubles.len(), 3, "{troubles:?}");
    assert_eq!(troubles[0], "hook 10-fails exited with 3");
    assert_eq!(troubles[1], "hook 20-hangs took too long and was ended");
    assert!(troubles[2].contains("30-nothing: it could not be run: failed to start"), "{troubles:?}");
}

#[test]
fn what_others_could_have_written_does_not_run() {
    let hooks = Hooks::new();
    hooks.add_as(0, "10-not-executable", "echo bad", 0o644);
    hooks.add_as(0, "20-everybody", "echo bad", 0o757);
    symlink("/no/such/file", hooks.dirs[0].join("30-dangling")).expect("it can be made");
    let outside = tempfile::tempdir().expect("a directory");
    let target = outside.path().join("target");
    fs::copy(hooks.add(0, "60-good", "echo good"), &target).expect("it can be copied");
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o1777)).expect("it is ours");
    symlink(&target, hooks.dirs[0].join("40-linked")).expect("it can be made");
    let mut expected = vec![
        ("10-not-executable", "chmod +x"),
        ("20-everybody", "chmod go-w"),
        ("30-dangling", "failed to look at"),
        ("40-linked", "chmod go-w"),
    ];
    if nix::unistd::geteuid().is_root() {
        chown(hooks.add(0, "50-foreign", "echo bad"), Some(65534), None).expect("root may");
        chown(hooks.add_as(0, "55-group", "echo bad", 0o775), None, Some(65534)).expect("root may");
        expected.extend([("50-foreign", "chown it to root"), ("55-group", "chmod go-w")]);
    }
    let (lines, reports) = hooks.run(&success());
    assert_eq!(lines, ["60-good: good"]);
    let troubles = troubles(&reports);
    assert_eq!(troubles.len(), expected.len(), "{troubles:?}");
    for ((name, why), trouble) in expected.iter().zip(&troubles) {
        assert!(trouble.contains(name) && trouble.contains(why), "{trouble}");
    }

    fs::set_permissions(&hooks.dirs[0], fs::Permissions::from_mode(0o777)).expect("it is ours");
    let (lines, reports) = hooks.run(&success());
    assert!(lines.is_empty() && reports.len() == 1 && !reports[0].is_clean(), "{reports:?}");
}

#[test]
fn a_wish_to_stop_ends_the_hook_and_spares_the_rest() {
    let hooks = Hooks::new();
    hooks.add(0, "10-long", "echo long; exec sleep 1000");
    hooks.add(0, "20-next", "echo next");
    let stop = Stop::new().expect("a socket pair");
    let event = Event { run: &success(), size: None, last_success: None, first_failure: None };
    let reports = run(&hooks.dirs, &event, &Identity::Invoker, TIMEOUT, &stop, &mut |hook, line| {
        assert_eq!((hook, line), ("10-long", "long"));
        stop.wish();
    });
    assert_eq!(
        troubles(&reports),
        ["hook 10-long was stopped", "hook 20-next: it was passed over: a stop was wished for"]
    );
}

#[test]
fn root_lets_another_user_run_them_with_nothing_of_its_own() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let hooks = Hooks::new();
    hooks.add(
        0,
        "who",
        "id -u; id -g; id -G; grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | cut -f2 | sort -u",
    );
    let stop = Stop::new().expect("a socket pair");
    let as_whom = |user: &str| hooks.run_as(&failure(), &Identity::User(user.into()), TIMEOUT, &stop);
    let (lines, reports) = as_whom("nobody");
    assert_eq!(troubles(&reports), [""; 0]);
    assert_eq!(lines, ["who: 65534", "who: 65534", "who: 65534", "who: 0000000000000000"]);

    let (lines, reports) = as_whom("no-such-user");
    assert!(lines.is_empty());
    assert!(troubles(&reports)[0].contains("there is no user no-such-user"), "{reports:?}");

    // Its own file is no stranger's.
    chown(hooks.dirs[0].join("who"), Some(65534), None).expect("root may");
    assert_eq!(as_whom("nobody").0.len(), 4);
    assert_eq!(hooks.run(&success()).0.len(), 0, "but it is for root");
}

#[test]
fn hooks_of_the_host_are_not_for_root() {
    let host = Identity::fitting(false);
    assert_eq!(host == Identity::User("planb".into()), nix::unistd::geteuid().is_root());
    assert_eq!(Identity::fitting(true), Identity::Invoker);
}
