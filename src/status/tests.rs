//! When a fileset is due, for every kind of schedule.

use super::due::{Due, Given, oldest_age};
use crate::config;
use crate::fileset::schedule::ShiftedHours;
use crate::host::paths::Paths;
use std::fs;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::datetime;

const HOUR: Duration = Duration::from_secs(3600);

/// A fileset with these lines, in UTC.
fn with<T>(lines: &str, check: impl FnOnce(&config::Fileset, ShiftedHours) -> T) -> T {
    let dir = tempfile::tempdir().expect("a directory");
    let etc = dir.path().join("etc/planb/conf.d");
    fs::create_dir_all(&etc).expect("directories");
    let settings = "[storage.a]\ntype = \"directory\"\npath = \"/srv/a\"\n";
    fs::write(dir.path().join("etc/planb/planb.toml"), settings).expect("written");
    let text = format!("timezone = \"UTC\"\n{lines}\n[rsync]\nsource = \"/home\"\ninclude = [\"/\"]\n");
    fs::write(etc.join("web1.toml"), text).expect("written");
    let configuration = config::load(&Paths::new(Some(dir.path().into())), nix::unistd::geteuid());
    let fileset = configuration.fileset("web1").unwrap_or_else(|| panic!("{:?}", configuration.diagnostics));
    check(fileset, ShiftedHours::of(&fileset.timezone))
}

fn due(lines: &str, since: OffsetDateTime, longest: Duration) -> Option<(OffsetDateTime, OffsetDateTime)> {
    with(lines, |fileset, shifted| Due::of(fileset, since, longest, shifted))
        .map(|due| (due.warning, due.critical))
}

#[test]
fn one_start_that_came_to_nothing_and_two() {
    let friday = datetime!(2026-07-10 03:20 UTC);
    for (lines, longest, warning, critical) in [
        ("schedule = \"03:00\"", HOUR, datetime!(2026-07-11 05:00 UTC), datetime!(2026-07-12 05:00 UTC)),
        ("schedule = \"Mon 03:00\"", HOUR, datetime!(2026-07-13 05:00 UTC), datetime!(2026-07-20 05:00 UTC)),
        // A run that takes longer than its period skips starts.
        ("schedule = \"*:0\"", 3 * HOUR, datetime!(2026-07-10 08:00 UTC), datetime!(2026-07-10 09:00 UTC)),
        // Where the minute's own start is the one that made it.
        (
            "schedule = \"03:20\"",
            Duration::ZERO,
            datetime!(2026-07-11 04:20 UTC),
            datetime!(2026-07-12 04:20 UTC),
        ),
        // Every few minutes there is less slack.
        (
            "schedule = \"*:0/15\"",
            Duration::ZERO,
            datetime!(2026-07-10 03:45 UTC),
            datetime!(2026-07-10 04:00 UTC),
        ),
        (
            "schedule = \"*:*\"",
            Duration::ZERO,
            datetime!(2026-07-10 03:31 UTC),
            datetime!(2026-07-10 03:32 UTC),
        ),
        (
            "schedule = \"*:0\"\nblacklist-hours = \"4-18\"",
            Duration::ZERO,
            datetime!(2026-07-10 19:00 UTC),
            datetime!(2026-07-10 20:00 UTC),
        ),
        (
            "schedule = \"03:00\"\nblacklist-hours = \"Sat,Sun 0-24\"",
            Duration::ZERO,
            datetime!(2026-07-13 04:00 UTC),
            datetime!(2026-07-14 04:00 UTC),
        ),
    ] {
        assert_eq!(due(lines, friday, longest), Some((warning, critical)), "{lines}");
    }
    // The last start there is, and none.
    let once = "schedule = \"2026-08-01 03:00\"";
    let only = (datetime!(2026-08-01 04:00 UTC), datetime!(2026-08-02 04:00 UTC));
    assert_eq!(due(once, friday, Duration::ZERO), Some(only));
    assert_eq!(due(once, datetime!(2026-08-01 03:00 UTC), Duration::ZERO), None);
}

#[test]
fn given_ages_come_first_and_are_in_order() {
    let since = datetime!(2026-07-10 03:20 UTC);
    let schedule = Some(Due { warning: since + 25 * HOUR, critical: since + 49 * HOUR });
    let given = |warning: Option<u32>, critical: Option<u32>, this| {
        let given = Given { warning: warning.map(|h| h * HOUR), critical: critical.map(|h| h * HOUR) };
        Due::or_given(this, given, since)
            .map(|due| ((due.warning - since).whole_hours(), (due.critical - since).whole_hours()))
    };
    assert_eq!(given(None, None, schedule), Some((25, 49)));
    assert_eq!(given(Some(10), Some(20), schedule), Some((10, 20)));
    assert_eq!(given(Some(60), None, schedule), Some((60, 60)));
    assert_eq!(given(None, Some(10), schedule), Some((10, 10)));
    assert_eq!(given(None, Some(30), schedule), Some((25, 30)));
    assert_eq!(given(Some(10), None, None), Some((10, 10)));
    assert_eq!(given(None, None, None), None);
}

#[test]
fn one_number_for_all_starts_is_the_longest_pause() {
    let now = datetime!(2026-07-10 03:20 UTC);
    for (lines, hours) in [
        ("schedule = \"hourly\"", 1),
        ("schedule = \"daily\"", 24),
        ("schedule = \"weekly\"", 7 * 24),
        ("schedule = \"monthly\"", 31 * 24),
        ("schedule = \"*:0\"\nblacklist-hours = \"9-17\"", 9),
        ("schedule = \"*:0/10\"\nblacklist-hours = [\"Sat,Sun 0-24\"]", 48),
        ("schedule = \"Mon..Fri 03:00\"", 3 * 24),
    ] {
        let age = with(lines, |fileset, shifted| oldest_age(fileset, now, 2 * HOUR, shifted));
        let whole = age.as_secs() / 3600;
        // And the longest run, and the slack of an hour at most.
        assert!((hours + 2..=hours + 3).contains(&whole), "{lines}: {whole} h");
    }
}
