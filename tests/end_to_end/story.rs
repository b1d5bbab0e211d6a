//! Backups that succeed, what is printed of them, and the exit codes.

use crate::sshd::{Rsyncd, Sshd};
use crate::world::{World, assert_keys_in_order};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const TIME: &str = "RFC 3339";
const NULL: &str = "null";

/// Whether a value has that type; a time is one that can be read as such.
#[track_caller]
fn assert_types(object: &Value, types: &[(&str, &str)]) {
    for (key, wanted) in types {
        let value = object.get(*key).unwrap_or_else(|| panic!("{key} is missing in {object:#}"));
        let found = match value {
            Value::Null => NULL,
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_u64() => "count",
            Value::Number(_) => "number",
            Value::String(text) if *wanted == TIME && OffsetDateTime::parse(text, &Rfc3339).is_ok() => TIME,
            Value::String(_) => "text",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
        };
        assert_eq!(found, *wanted, "{key} in {object:#}");
    }
}

fn keys<'a>(types: &[(&'a str, &str)]) -> Vec<&'a str> {
    types.iter().map(|(key, _)| *key).collect()
}

#[test]
fn a_backup_over_ssh_is_a_snapshot_a_record_and_told_by_everything() {
    let (world, sshd) = (World::with("[group.acme]\n"), Sshd::start());
    world.listen();
    world.write("etc/motd", "hello");
    world.write("etc/empty", "");
    world.over(&sshd, "web1", "group = \"acme\"\ntags = [\"gold\", \"offsite\"]\nretain = \"2h\"", "");
    world.local("lazy", "enabled = false", "");

    let ran = world.run("web1");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(
        ran.said("planb: web1: planb-20260302T0301Z in ") && ran.said("s: 2 files changed, "),
        "{}",
        ran.stderr
    );
    world.write("etc/motd", "hello again");
    let ran = world.good_run("web1");
    assert!(ran.said(": 1 file changed, "), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(world.newest("web1").join("etc/motd")).expect("there"), "hello again");
    let first = world.data("web1", "planb-20260302T0301Z");
    assert_eq!(fs::read_to_string(first.join("etc/motd")).expect("there"), "hello");

    let types = [
        ("name", "text"),
        ("group", "text"),
        ("tags", "list"),
        ("enabled", "bool"),
        ("transport", "text"),
        ("source", "text"),
        ("storage", "text"),
        ("dataset", "text"),
        ("state", "text"),
        ("last_result", "text"),
        ("last_success", TIME),
        ("last_run", TIME),
        ("first_failure", NULL),
        ("error", NULL),
        ("average_duration_s", "count"),
        ("snapshots", "count"),
        ("size_bytes", "count"),
        ("next_run", TIME),
    ];
    let listed = world.listed("web1");
    assert_types(&listed, &types);
    let text = world.planb(&["list", "--json"]).stdout;
    assert_keys_in_order(&text, &["version", "filesets"]);
    assert_keys_in_order(&text, &keys(&types));
    assert_eq!((&listed["state"], &listed["last_result"]), (&"idle".into(), &"success".into()));
    assert_eq!((&listed["snapshots"], &listed["size_bytes"]), (&2.into(), &11.into()));
    assert_eq!((&listed["transport"], &listed["storage"]), (&"rsync".into(), &"disk".into()));
    assert_eq!(listed["tags"], serde_json::json!(["gold", "offsite"]));
    assert_eq!((&listed["group"], &listed["dataset"]), (&"acme".into(), &"web1".into()));
    let lazy = world.listed("lazy");
    assert_eq!(
        (&lazy["state"], &lazy["enabled"], &lazy["next_run"]),
        (&"disabled".into(), &false.into(), &Value::Null)
    );
    let status = world.json(&["status", "--json", "web1"]);
    assert_eq!(status["fileset"], listed);
    for (only, shown) in
        [(["--group", "acme"], 1), (["--group", "none"], 0), (["--tag", "offsite"], 1), (["--tag", "x"], 0)]
    {
        let found = world.json(&["list", "--json", only[0], only[1]]);
        assert_eq!(found["filesets"].as_array().map(Vec::len), Some(shown), "{only:?}");
    }

    let types = [
        ("name", "text"),
        ("time", TIME),
        ("kind", "text"),
        ("keep", "list"),
        ("used_bytes", NULL),
        ("referenced_bytes", NULL),
        ("path", "text"),
    ];
    let ran = world.planb(&["snapshots", "--json", "web1"]);
    assert_keys_in_order(&ran.stdout, &["version", "fileset", "snapshots"]);
    assert_keys_in_order(&ran.stdout, &keys(&types));
    let snapshots = world.json(&["snapshots", "--json", "web1"]);
    let names: Vec<&Value> =
        snapshots["snapshots"].as_array().expect("a list").iter().map(|s| &s["name"]).collect();
    assert_eq!(names, ["planb-20260302T0301Z", "planb-20260302T0302Z"], "oldest first");
    for snapshot in snapshots["snapshots"].as_array().expect("a list") {
        assert_types(snapshot, &types);
        assert_eq!(snapshot["kind"], "automatic");
        assert!(snapshot["keep"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{snapshot:#}");
    }

    let types = [
        ("id", "text"),
        ("fileset", "text"),
        ("trigger", "text"),
        ("started", TIME),
        ("finished", TIME),
        ("duration_s", "count"),
        ("result", "text"),
        ("error", NULL),
        ("exit_code", "count"),
        ("snapshot", "text"),
        ("bytes_transferred", "count"),
        ("files_transferred", "count"),
        ("files_total", "count"),
        ("bytes_total", "count"),
        ("destroyed", "list"),
    ];
    let ran = world.planb(&["history", "--json", "web1"]);
    assert_keys_in_order(
        &ran.stdout,
        &["version", "runs", "id", "fileset", "trigger", "started", "finished", "duration_s"],
    );
    let record = world.last("web1");
    assert_types(&record, &types);
    assert_eq!((&record["trigger"], &record["exit_code"]), (&"manual".into(), &0.into()));
    assert_eq!(
        (&record["snapshot"], &record["files_transferred"]),
        (&"planb-20260302T0302Z".into(), &1.into())
    );
    // Two files, and the directories they are in.
    assert_eq!((&record["files_total"], &record["bytes_total"]), (&4.into(), &11.into()));
    assert_eq!(world.runs("web1").len(), 2);
    assert_eq!(world.json(&["history", "--json", "-n", "1"])["runs"].as_array().map(Vec::len), Some(1));

    let heard = world.last_heard();
    assert_eq!(heard.run, record, "hooks get what history has");
    // Data is on stdout, and nothing else is.
    for args in [&["list"][..], &["snapshots", "web1"], &["history"], &["status", "web1"]] {
        let ran = world.planb(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert!(ran.stdout.contains("web1"), "{}", ran.stdout);
    }
    world.assert_nothing_left_behind();
}

#[test]
fn an_rsync_daemon_and_a_path_are_sources_too() {
    let world = World::new();
    world.write("a/b", "content");
    let daemon = Rsyncd::start(&world.source());
    let (port, password) = (daemon.port(), daemon.password_file());
    world.drop_in(
        "nas",
        &format!(
            "[rsync]\nhost = \"127.0.0.1\"\nport = {port}\ndaemon = true\nsource = \"secret\"\nuser = \"me\"\n\
             password-file = {password:?}\ninclude = [\"/\"]\n"
        ),
    );
    world.local("here", "", "");
    for name in ["nas", "here"] {
        world.good_run(name);
        assert_eq!(fs::read_to_string(world.newest(name).join("a/b")).expect("there"), "content");
    }
}

#[test]
fn exit_codes_tell_what_became_of_it() {
    let world = World::new();
    world.listen();
    world.write("f", "f");
    world.local("good", "", "");
    world.drop_in("bad", "[rsync]\nsource = \"/no/such/place\"\ninclude = [\"/\"]\n");
    world.local("broken", "retain = \"sometimes\"", "");
    world.later(Duration::MINUTE);
    for (args, code) in [
        (&["run", "good"][..], 0),
        (&["check", "good"], 0),
        (&["prune", "good"], 0),
        (&["history", "never-was"], 0),
        (&["run", "bad"], 1),
        (&["check"], 2),
        (&["run", "broken"], 2),
        (&["run", "god"], 2),
        (&["run"], 2),
        (&["status", "god"], 2),
        (&["snapshots", "god"], 2),
        (&["prune", "god"], 2),
        // Something is not backed up: whoever only looks at codes shall see it.
        (&["list"], 2),
    ] {
        let ran = world.planb(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
    }
    let ran = world.planb(&["run", "bad"]);
    world.assert_came_to_nothing(&ran, "bad", 1, "failure", &["/no/such/place"]);
    assert!(world.planb(&["run", "god"]).said("did you mean"), "a near name is named");
}

#[test]
fn one_bad_file_stops_no_other_and_is_said() {
    let world = World::new();
    world.write("f", "f");
    for name in ["a", "b"] {
        world.local(name, "", "");
    }
    world.local("broken", "retain = \"sometimes\"", "");
    world.local("lazy", "enabled = false", "");
    world.later(Duration::MINUTE);
    let ran = world.planb(&["run", "--all"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.said("conf.d/broken.toml:1:"), "{}", ran.stderr);
    for name in ["a", "b"] {
        assert_eq!(world.snapshots(name).len(), 1);
        assert_eq!(world.last(name)["result"], "success");
    }
    assert!(world.runs("lazy").is_empty());
    let listed = world.listed("broken");
    assert_eq!(listed["state"], "invalid");
    assert!(listed["error"].as_str().is_some_and(|error| error.contains("broken.toml:1:")), "{listed:#}");

    // Together with a failure it is the failure that has to be looked at first.
    world.drop_in("bad", "[rsync]\nsource = \"/no/such/place\"\ninclude = [\"/\"]\n");
    world.later(Duration::MINUTE);
    assert_eq!(world.planb(&["run", "--all"]).code, 1);
    assert_eq!(world.snapshots("b").len(), 2);
}

#[test]
fn a_disabled_fileset_is_not_backed_up() {
    let world = World::new();
    world.local("lazy", "enabled = false", "");
    let ran = world.run("lazy");
    assert_eq!(ran.code, 2);
    assert!(ran.said("lazy is disabled: set enabled = true in ") && ran.said("lazy.toml"), "{}", ran.stderr);
    assert!(world.runs("lazy").is_empty() && !world.at("backups/lazy").exists());
}

#[test]
fn retention_destroys_what_it_says_and_never_what_a_person_keeps() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "retain = \"2d\"", "");
    world.later(Duration::MINUTE);
    assert_eq!(world.planb(&["run", "--keep", "before-upgrade", "web1"]).code, 0);
    for _ in 0..5 {
        world.later(Duration::DAY);
        assert_eq!(world.planb(&["run", "web1"]).code, 0);
    }
    // Of the newest three days the oldest each.
    let kept = [
        "before-upgrade-20260302T0301Z",
        "planb-20260305T0301Z",
        "planb-20260306T0301Z",
        "planb-20260307T0301Z",
    ];
    assert_eq!(world.snapshots("web1"), kept);
    assert_eq!(world.last("web1")["destroyed"], serde_json::json!(["planb-20260304T0301Z"]));
    let listed = world.json(&["snapshots", "--json", "web1"]);
    assert_eq!(listed["snapshots"][0]["kind"], "kept");

    // The plan that is shown is the plan that is carried out.
    world.local("web1", "retain = \"1d\"", "");
    let shown = world.json(&["prune", "--dry-run", "--json", "web1"]);
    assert_eq!(world.snapshots("web1"), kept, "nothing was destroyed");
    let ran = world.planb(&["prune", "--json", "web1"]);
    assert_keys_in_order(&ran.stdout, &["version", "fileset", "destroyed", "kept", "name", "keep"]);
    let done: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(done, shown);
    assert_eq!(done["destroyed"], serde_json::json!(["planb-20260305T0301Z"]));
    assert_eq!(done["fileset"], "web1");
    for kept in done["kept"].as_array().expect("a list") {
        assert!(kept["name"].is_string() && kept["keep"].as_array().is_some_and(|k| !k.is_empty()), "{kept}");
    }
    assert_eq!(world.snapshots("web1"), [kept[0], kept[2], kept[3]]);
    assert_eq!(fs::read_dir(world.at("backups/web1/.trash")).expect("a trash").count(), 0);

    // Without rules nothing is destroyed.
    world.local("web1", "", "");
    assert_eq!(world.json(&["prune", "--json", "web1"])["destroyed"], serde_json::json!([]));
}

#[test]
fn the_retention_filter_judges_names() {
    let world = World::new();
    let mut child = Command::new(crate::world::PLANB)
        .args(["retention", "--retain", "1d", "--timezone", "UTC"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("planb starts");
    let names =
        "planb-20260301T0000Z\nplanb-20260302T0000Z\nplanb-20260303T0000Z\nhand-20200101T0000Z\nother\n";
    child.stdin.take().expect("a pipe").write_all(names.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("utf-8");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let verdicts: Vec<(&str, &str)> = lines.iter().map(|fields| (fields[0], fields[1])).collect();
    assert_eq!(
        verdicts,
        [
            ("destroy", "planb-20260301T0000Z"),
            ("keep", "planb-20260302T0000Z"),
            ("keep", "planb-20260303T0000Z"),
            ("keep", "hand-20200101T0000Z"),
            ("foreign", "other"),
        ]
    );
    assert!(lines.iter().all(|fields| fields.len() == 3) && !lines[1][2].is_empty(), "{text}");
    assert!(output.stderr.is_empty());
    drop(world);
}

#[test]
fn snapshots_of_the_future_make_retention_stand_still() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "retain = \"1d\"", "");
    // The clock was wrong for two runs, by two years.
    for days in [730, 731, 732] {
        world.set_clock(crate::world::BEGIN + Duration::days(days));
        world.good_run("web1");
    }
    world.set_clock(crate::world::BEGIN);
    let ran = world.run("web1");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.said("is of the future"), "{}", ran.stderr);
    assert!(world.snapshots("web1").contains(&"planb-20260302T0301Z".to_owned()));
    assert!(world.planb(&["list"]).code == 0);
    assert!(!world.planb(&["list"]).stdout.contains("in the future"));
}
