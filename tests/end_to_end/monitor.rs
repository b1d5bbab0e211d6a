//! What monitoring sees: never good news by accident, no alarm without a cause, and formats that their own readers accept.

use crate::stopping::noise;
use crate::world::{BEGIN, Ran, World};
use serde_json::Value;
use std::fs;
use std::process::Command;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const OK: i32 = 0;
const WARNING: i32 = 1;
const CRITICAL: i32 = 2;
const UNKNOWN: i32 = 3;

/// What the plugin says of these filesets, which has to be this.
#[track_caller]
fn says(world: &World, args: &[&str], code: i32, words: &str) -> Ran {
    let ran = world.planb(&[&["monitor"], args].concat());
    let status = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).expect("a code")];
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    let first = ran.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with(&format!("PLANB {status} - ")), "{first}");
    assert!(first.contains(words), "{words:?} is not in {first:?}");
    // One bar, and what is behind it are figures: label=value[unit];[warning];[critical];[least][;most]
    let (_, figures) = first.split_once(" | ").expect("figures");
    for figure in figures.split_whitespace() {
        let (_label, values) = figure.split_once('=').expect("a label");
        let values: Vec<&str> = values.split(';').collect();
        assert!([4, 5].contains(&values.len()), "{figure}");
        assert!(values[0].trim_end_matches(['s', 'B']).parse::<u64>().is_ok(), "{figure}");
        let is_number = |value: &&str| value.is_empty() || value.trim_end_matches(':').parse::<u64>().is_ok();
        assert!(values[1..].iter().all(is_number), "{figure}");
    }
    ran
}

/// A directory that is called as a snapshot.
fn mark(world: &World, fileset: &str, snapshot: &str) {
    fs::create_dir_all(world.data(fileset, snapshot)).expect("a directory");
}

#[test]
fn nothing_to_look_at_is_never_good_news() {
    let world = World::new();
    says(&world, &[], UNKNOWN, "there is no fileset");
    world.local("web1", "enabled = false", "");
    says(&world, &[], UNKNOWN, "every fileset is disabled");
    says(&world, &["web1"], UNKNOWN, "web1 is disabled");
    says(&world, &["web2"], UNKNOWN, "unknown fileset \"web2\": did you mean \"web1\"?");
    // Wrong usage, too, is no message about backups.
    for args in [&["monitor", "--no-such-option"][..], &["monitor", "--warning", "26"]] {
        assert_eq!(world.planb(args).code, UNKNOWN, "{args:?}");
    }
    world.local("web1", "", "");
    says(&world, &[], OK, "1 fileset");
    says(&world, &["web1"], OK, "web1: its first run is to come");
    says(&world, &["web1", "web2"], UNKNOWN, "unknown fileset");

    world.drop_in("web2", "nonsense = true");
    let ran = says(&world, &[], CRITICAL, "web2: it is not backed up: ");
    assert!(ran.stdout.contains("conf.d/web2.toml: no transport"), "{}", ran.stdout);
    says(&world, &["web1"], OK, "");
    fs::write(world.at("root/etc/planb/planb.toml"), "slots = \"many").expect("written");
    says(&world, &[], CRITICAL, "no fileset is backed up until this is mended");
    fs::remove_dir_all(world.at("root/etc/planb")).expect("removed");
    says(&world, &[], UNKNOWN, "there is no fileset");
}

#[test]
fn a_start_that_came_to_nothing_is_a_warning_and_two_are_critical() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "schedule = \"*-*-* 03:00\"", "");
    world.set_clock(BEGIN + Duration::seconds(1));
    world.good_run("web1");
    let ran = says(&world, &["web1"], OK, "web1: its newest snapshot is ");
    assert!(ran.stdout.contains("web1_snapshots=1;;;0 web1_size="), "{}", ran.stdout);
    // The next start is a day after BEGIN, the slack an hour; runs of this size take no time.
    for (after, code, words) in [
        (Duration::hours(24 + 1), OK, ""),
        (
            Duration::hours(24 + 1) + Duration::minutes(2),
            WARNING,
            "its newest snapshot is 1d 1h old, another was due by 2026-03-03 04:00",
        ),
        (Duration::hours(48 + 1), WARNING, "web1: "),
        (Duration::hours(48 + 1) + Duration::minutes(2), CRITICAL, "its newest snapshot is 2d 1h old"),
    ] {
        world.set_clock(BEGIN + after);
        says(&world, &["web1"], code, words);
        says(&world, &[], code, words);
    }
    // Or as somebody wants it.
    says(&world, &["-w", "60h"], OK, "");
    says(&world, &["-c", "40h"], CRITICAL, "web1: ");
    says(&world, &["-w", "50h", "-c", "60h"], OK, "");
    let ran = says(&world, &["-w", "1h", "-c", "2h", "web1"], CRITICAL, "web1: ");
    assert!(ran.stdout.contains("s;3600;7200;0 "), "{}", ran.stdout);
    // And what was made by hand counts, also if a label keeps it.
    world.planb(&["run", "--keep", "by-hand", "web1"]);
    says(&world, &[], OK, "");
}

#[test]
fn the_longest_run_of_two_weeks_is_waited_for() {
    let world = World::new();
    world.write("big", noise(3_000_000, 1));
    world.local("web1", "schedule = \"*-*-* 03:00\"\n[guard]\nmax-shrink = \"none\"", "bwlimit = \"1M\"");
    // Seconds from the next start until it is late.
    let patience = |start: OffsetDateTime| {
        let at = world.listed("web1")["overdue_at"].as_str().expect("a time").to_owned();
        (OffsetDateTime::parse(&at, &Rfc3339).expect("a time") - start).whole_seconds()
    };
    world.good_run("web1");
    let took = world.last("web1")["duration_s"].as_i64().expect("seconds");
    assert!(took >= 2, "{took}");
    assert_eq!(patience(BEGIN + Duration::days(1)), 3600 + took);
    // A short one since does not change that; but in time it does.
    fs::remove_file(world.source().join("big")).expect("removed");
    world.write("small", "s");
    world.later(Duration::days(1));
    world.good_run("web1");
    assert_eq!(patience(BEGIN + Duration::days(2)), 3600 + took);
    world.later(Duration::days(14));
    world.good_run("web1");
    let took = world.last("web1")["duration_s"].as_i64().expect("seconds");
    assert!(took < 2, "{took}");
    assert_eq!(patience(BEGIN + Duration::days(16)), 3600 + took);
}

#[test]
fn what_the_schedule_leaves_out_is_no_delay() {
    let world = World::new();
    world.write("f", "f");
    world.local("hourly", "schedule = \"hourly\"\nblacklist-hours = \"9-17\"", "");
    world.local("weekly", "schedule = \"Mon 03:00\"", "");
    world.local("workdays", "schedule = \"Mon..Fri 03:00\"", "");
    // Monday: the last start before the window closes.
    world.set_clock(BEGIN + Duration::minutes(5 * 60 + 58));
    for fileset in ["hourly", "weekly", "workdays"] {
        world.good_run(fileset);
    }
    world.set_clock(BEGIN + Duration::hours(14));
    says(&world, &[], OK, "3 filesets");
    world.set_clock(BEGIN + Duration::hours(16));
    says(&world, &[], WARNING, "hourly: ");
    world.set_clock(BEGIN + Duration::days(7));
    says(&world, &["weekly"], OK, "");
    world.set_clock(BEGIN + Duration::days(7) + Duration::hours(2));
    says(&world, &["weekly"], WARNING, "");
    // Friday to Monday.
    world.set_clock(BEGIN + Duration::days(4));
    world.good_run("workdays");
    world.set_clock(BEGIN + Duration::days(7));
    says(&world, &["workdays"], OK, "");

    // Zabbix has one number for all of the week: the longest pause of each, and an hour.
    let discovered = world.planb(&["list", "--zabbix"]);
    let discovered: Value = serde_json::from_str(&discovered.stdout).expect("JSON");
    let eta = |name: &str| {
        let data = discovered["data"].as_array().expect("a list");
        data.iter().find(|one| one["{#ID}"] == name).expect("discovered")["{#ETA_MAX}"].as_u64()
    };
    let hours = |hours: u64| Some(hours * 3600);
    assert_eq!(
        (eta("hourly"), eta("weekly"), eta("workdays")),
        (hours(9 + 1), hours(7 * 24 + 1), hours(3 * 24 + 1))
    );
    assert_eq!(discovered["data"][0]["{#PLANB}"], "disk");
    assert_eq!(discovered["data"][0]["{#GROUP}"], "");
}

#[test]
fn snapshots_are_believed_and_not_what_runs_said() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "schedule = \"daily\"\nretain = \"1d\"", "");
    world.good_run("web1");
    let first = world.listed("web1");
    assert!(
        first["last_success"].is_string() && first["last_success"] != first["newest_snapshot"],
        "{first:#}"
    );

    // A clock that ran ahead once must not look fresh for seventy years.
    mark(&world, "web1", "planb-20990101T0000Z");
    says(&world, &["web1"], WARNING, "planb-20990101T0000Z is 26602d 20h ahead of the clock");
    assert_eq!(world.listed("web1")["newest_snapshot"], first["newest_snapshot"]);
    world.later(Duration::days(3));
    says(&world, &["web1"], CRITICAL, "its newest snapshot is 3d old");
    fs::remove_dir_all(world.at("backups/web1/planb-20990101T0000Z")).expect("removed");

    // Snapshots that retention does not keep, after a run that should have destroyed them.
    world.good_run("web1");
    says(&world, &["web1"], OK, "");
    for day in 1..4 {
        mark(&world, "web1", &format!("planb-2020010{day}T0000Z"));
    }
    let words = "3 snapshots older than `retain` allows, the oldest planb-20200101T0000Z";
    says(&world, &["web1"], WARNING, words);
    world.good_run("web1");
    says(&world, &["web1"], OK, "");

    // One that was removed by hand is no success any more.
    let newest = world.snapshots("web1").pop().expect("a snapshot");
    fs::remove_dir_all(world.at("backups/web1").join(newest)).expect("removed");
    let listed = world.listed("web1");
    assert_eq!(listed["last_success"], listed["newest_snapshot"]);
    for snapshot in world.snapshots("web1") {
        fs::remove_dir_all(world.at("backups/web1").join(snapshot)).expect("removed");
    }
    says(&world, &["web1"], CRITICAL, "was made and is not there");
    assert_eq!(world.listed("web1")["last_success"], Value::Null);
    // Nor is a storage that is not there good news.
    fs::remove_dir_all(world.at("backups")).expect("removed");
    says(&world, &["web1"], CRITICAL, "is not there: mount the disk");
}

#[test]
fn failures_are_told_before_it_is_late_and_zabbix_has_their_ages() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "schedule = \"*-*-* 03:00\"", "");
    world.local("web2", "schedule = \"*-*-* 03:00\"", "");
    world.local("web3", "enabled = false", "");
    world.good_run("web1");
    world.good_run("web2");
    let summary = |world: &World| {
        let ran = world.planb(&["monitor", "--zabbix"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str::<Value>(&ran.stdout).expect("JSON")
    };
    let good = summary(&world);
    let count = |summary: &Value, what: &str| summary[what].as_u64();
    assert_eq!(
        ["filesets", "enabled", "disabled", "invalid", "failed", "overdue"].map(|what| count(&good, what)),
        [3, 2, 1, 0, 0, 0].map(Some),
        "{good:#}"
    );
    assert_eq!((&good["level"], &good["oldest_failure_age"]), (&"ok".into(), &Value::Null), "{good:#}");

    fs::remove_dir_all(world.source()).expect("removed");
    world.later(Duration::hours(1));
    assert_eq!(world.run("web2").code, 1);
    world.later(Duration::hours(2));
    assert_eq!(world.run("web2").code, 1);
    world.later(Duration::hours(1));
    says(&world, &[], WARNING, "web2: it fails since 2026-03-02 04:");
    let bad = summary(&world);
    assert_eq!((count(&bad, "failed"), &bad["level"]), (Some(1), &"warning".into()), "{bad:#}");
    let hours = |what: &str| (count(&bad, what).expect("an age") + 1800) / 3600;
    assert_eq!(
        ["latest_success_age", "oldest_success_age", "latest_failure_age", "oldest_failure_age"].map(hours),
        [4, 4, 1, 3],
        "{bad:#}"
    );
}

#[test]
fn a_storage_that_runs_full_or_became_read_only_is_told_by_every_view() {
    let Some(world) = World::on_btrfs("a_storage_that_runs_full", 256) else { return };
    world.write("f", "f");
    let with = |min_free: &str| world.local("web1", &format!("[guard]\nmin-free = {min_free:?}"), "");
    with("5%");
    world.good_run("web1");
    let ran = says(&world, &[], OK, "");
    // Less is worse: thresholds from below. And there is a most.
    let total = world.json(&["list", "--json"])["storages"][0]["total_bytes"].as_u64().expect("bytes");
    let least = total * 5 / 100;
    let end = format!("B;{}:;{least}:;0;{total}", least * 2);
    let figure =
        ran.stdout.split_whitespace().find(|word| word.starts_with("storage_disk_free=")).expect("it");
    assert!(figure.ends_with(&end), "{figure}, not {end}");

    // It is nearly empty: of what it has, more than half and less than all is left.
    let before = "below 153.6 MiB (min-free) no run begins";
    with("60%");
    says(&world, &[], WARNING, "storage disk: ");
    assert!(says(&world, &["web1"], WARNING, before).stdout.contains("web1_snapshots=1"));
    with("100%");
    let why = "and min-free asks for 256.0 MiB: no run of 1 fileset begins until there is room";
    says(&world, &[], CRITICAL, why);
    assert_eq!(world.run("web1").code, 1);
    let listed = world.planb(&["list"]).stdout;
    assert!(listed.contains("storage disk: ") && listed.contains(why), "{listed}");
    let storage = &world.json(&["status", "--json", "web1"])["storages"][0];
    assert_eq!((&storage["level"], &storage["type"]), (&"critical".into(), &"btrfs".into()), "{storage}");
    assert!(storage["problems"][0].as_str().is_some_and(|said| said.contains(why)), "{storage}");
    let summary: Value = serde_json::from_str(&world.planb(&["monitor", "--zabbix"]).stdout).expect("JSON");
    assert_eq!((&summary["storages_in_trouble"], &summary["level"]), (&1.into(), &"critical".into()));
    let metrics = world.planb(&["metrics"]).stdout;
    assert!(
        metrics.contains("planb_storage_problem_level{storage=\"disk\",type=\"btrfs\"} 2\n"),
        "{metrics}"
    );
    let top = world.planb(&["top"]).stdout;
    assert!(top.contains("storage disk          critical"), "{top}");
    // Who does not ask for room is not kept waiting, and nobody else's storage matters.
    with("none");
    world.good_run("web1");
    says(&world, &[], OK, "");

    let remount = |how: &str| {
        let at = world.at("backups");
        let status = Command::new("mount").args(["-o", how]).arg(at).status();
        assert!(status.is_ok_and(|status| status.success()), "{how}");
    };
    remount("remount,ro");
    says(&world, &[], CRITICAL, "is mounted read-only: see in `dmesg` why");
    world.local("web1", "enabled = false", "");
    says(&world, &[], UNKNOWN, "every fileset is disabled");
    remount("remount,rw");
}

#[test]
fn top_prints_once_where_nobody_looks() {
    let world = World::new();
    world.write("f", "f");
    world.local("web1", "schedule = \"daily\"", "");
    world.drop_in("web2", "");
    world.good_run("web1");
    let ran = world.planb(&["top"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let titles: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split("  ").next()).collect();
    for title in ["2 filesets, 1 invalid", "TO LOOK AT", "web2", "NEXT", "web1"] {
        assert!(titles.contains(&title), "{title}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
}
