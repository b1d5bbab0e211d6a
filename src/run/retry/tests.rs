use super::*;
use crate::config;
use nix::unistd::Uid;
use time::macros::datetime;

/// A fileset with these words, of the zone of Amsterdam.
fn fileset(words: &str) -> Fileset {
    let root = tempfile::tempdir().expect("a directory");
    let at = |path: &str| root.path().join(path);
    fs::create_dir_all(at("etc/planb/conf.d")).expect("a directory");
    let storage = "[storage.main]\ntype = \"directory\"\npath = \"/srv\"\n";
    fs::write(at("etc/planb/planb.toml"), storage).expect("written");
    let text = format!("timezone = \"Europe/Amsterdam\"\n{words}\n[rsync]\ninclude = [\"/etc\"]\n");
    fs::write(at("etc/planb/conf.d/web1.toml"), text).expect("written");
    let paths = Paths::new(Some(root.path().into()));
    let configuration = config::load(&paths, Uid::effective());
    configuration.fileset("web1").unwrap_or_else(|| panic!("{:?}", configuration.diagnostics)).clone()
}

fn run(result: Outcome, finished: OffsetDateTime) -> Record {
    let text = serde_json::json!({
        "id": "0".repeat(32), "fileset": "web1", "group": null, "trigger": "timer", "started": "2026-01-01T00:00:00Z",
        "result": result, "error": null, "exit_code": null, "snapshot": null, "dataset": "web1", "path": null,
        "transferred": null
    });
    let run: Record = serde_json::from_value(text).expect("a record");
    Record { finished: Some(finished), ..run }
}

/// When a fileset with these words is tried again, `after` a run that ended so at that time.
fn again(words: &str, result: Outcome, ended: OffsetDateTime) -> Option<OffsetDateTime> {
    due(&fileset(words), &run(result, ended), ended)
}

#[test]
fn what_came_to_nothing_is_tried_again_after_a_24th_of_the_period() {
    let ended = datetime!(2026-01-02 03:04:05.5 UTC);
    for outcome in [Outcome::Failure, Outcome::Timeout, Outcome::Killed, Outcome::Deferred] {
        assert_eq!(
            again("retain = \"7d\"", outcome, ended),
            Some(datetime!(2026-01-02 04:04:06 UTC)),
            "{outcome}"
        );
    }
    for outcome in [Outcome::Success, Outcome::Interrupted] {
        assert_eq!(again("retain = \"7d\"", outcome, ended), None, "{outcome}");
    }
    let hourly = again("retain = \"24h\"", Outcome::Failure, ended);
    assert_eq!(hourly, Some(datetime!(2026-01-02 03:06:36 UTC)));
    let often = again("schedule = \"*:0/5\"", Outcome::Failure, ended);
    assert_eq!(often, Some(datetime!(2026-01-02 03:05:06 UTC)), "a minute at least");
    let asked = again("retry = \"2h\"", Outcome::Failure, ended);
    assert_eq!(asked, Some(datetime!(2026-01-02 05:04:06 UTC)));
    assert_eq!(again("enabled = false", Outcome::Failure, ended), None);
}

#[test]
fn no_attempt_falls_into_the_blacklist_hours() {
    let words = "blacklist-hours = \"9-17\"\nretry = \"1h\"";
    // 08:30 in Amsterdam; an hour later the window is shut, until 17:00, which is 16:00 UTC.
    let opening = datetime!(2026-01-02 16:00 UTC);
    let at = again(words, Outcome::Failure, datetime!(2026-01-02 07:30 UTC)).expect("a time");
    assert!(at >= opening && at < opening + SPREAD, "{at}");
    // Deferred because of the hours: at their end, however long the pause would be.
    let words = "blacklist-hours = \"9-17\"\nretry = \"12h\"";
    let at = again(words, Outcome::Deferred, datetime!(2026-01-02 08:30 UTC)).expect("a time");
    assert!(at >= opening && at < opening + SPREAD, "{at}");
    // Summer time begins on the 29th of March: 02:00 to 06:00 ends at 04:00 UTC, not at 05:00.
    let words = "blacklist-hours = \"2-6\"\nretry = \"1h\"";
    let at = again(words, Outcome::Failure, datetime!(2026-03-29 00:30 UTC)).expect("a time");
    let opening = datetime!(2026-03-29 04:00 UTC);
    assert!(at >= opening && at < opening + SPREAD, "{at}");
}

#[test]
fn those_who_waited_for_the_same_opening_do_not_start_together() {
    let shares: std::collections::BTreeSet<i64> = (0..200)
        .map(|number| share(&format!("web{number}").parse().expect("a name"), SPREAD).whole_seconds())
        .collect();
    assert!(shares.len() > 150, "{}", shares.len());
    assert!(shares.iter().all(|seconds| (0..1800).contains(seconds)));
}

#[test]
fn a_time_that_is_past_becomes_one_that_comes() {
    let now = datetime!(2026-01-05 00:00 UTC);
    let at = due(&fileset("retain = \"7d\""), &run(Outcome::Failure, datetime!(2026-01-02 03:04 UTC)), now);
    assert_eq!(at, Some(now + AHEAD));
}

#[test]
fn a_note_tells_of_an_attempt_until_its_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let paths = Paths::new(Some(dir.path().into()));
    let name: Name = "web1".parse().expect("a name");
    let at = datetime!(2026-01-02 03:04 UTC);
    assert_eq!(pending(&paths, &name, at), None);
    fs::create_dir_all(paths.runtime_dir("retry")).expect("a directory");
    fs::write(note(&paths, &name), at.format(&Rfc3339).expect("a text")).expect("written");
    assert_eq!(pending(&paths, &name, at - Duration::SECOND), Some(at));
    assert_eq!(pending(&paths, &name, at), None);
}
