//! What goes in comes out.

use super::*;

#[test]
fn a_record_comes_back_whole() {
    let world = World::new();
    let full = run("web1", 0, Outcome::Success);
    let bare = Record {
        group: None,
        tags: vec![],
        finished: None,
        error: None,
        exit_code: None,
        snapshot: None,
        path: None,
        transferred: None,
        destroyed: vec![],
        ..run("web2", 1, Outcome::Killed)
    };
    for record in [&full, &bare] {
        assert_eq!(texts(&keep_first(&world.paths, record)), "");
        let (found, _) = ask(&world.paths, NOW, |history| history.run(&record.id)).expect("it can be read");
        assert_eq!(found.as_ref(), Some(record));
    }
    for outcome in Outcome::ALL {
        for trigger in Trigger::ALL {
            let record = Record { trigger, ..run("web3", 2, outcome) };
            keep_first(&world.paths, &record);
            let (found, _) =
                ask(&world.paths, NOW, |history| history.run(&record.id)).expect("it can be read");
            assert_eq!(found, Some(record));
        }
    }
}

#[test]
fn a_run_that_is_kept_twice_is_there_once() {
    let world = World::new();
    keep_first(&world.paths, &run("web1", 0, Outcome::Failure));
    keep_first(&world.paths, &run("web1", 0, Outcome::Failure));
    assert_eq!(world.ids(), ["web10"]);
}

#[test]
fn the_newest_runs_come_first_and_as_many_as_asked_for() {
    let world = World::new();
    for minute in [3, 1, 2] {
        keep_first(&world.paths, &run("b", minute, Outcome::Success));
        keep_first(&world.paths, &run("a", minute + 10, Outcome::Success));
    }
    assert_eq!(world.ids(), ["a13", "a12", "a11", "b3", "b2", "b1"]);
    let of = |fileset: &str, limit| {
        let (runs, _) = ask(&world.paths, NOW, |history| history.runs(Some(&name(fileset)), limit))
            .expect("it can be read");
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(of("b", Some(2)), ["b3", "b2"]);
    assert_eq!(of("b", None), ["b3", "b2", "b1"]);
    assert!(of("b", Some(0)).is_empty() && of("c", None).is_empty());
}

#[test]
fn an_average_is_of_the_last_ten_successes_alone() {
    let world = World::new();
    for minute in 0..13_u32 {
        let mut record = run("web1", minute, Outcome::Success);
        // The first three are not among the last ten: 4, 5, ... 13 seconds are.
        record.finished = Some(record.started + Duration::from_secs(u64::from(minute) + 1));
        keep_first(&world.paths, &record);
        keep_first(&world.paths, &run("web1", minute + 100, Outcome::Failure));
    }
    keep_first(&world.paths, &run("web2", 0, Outcome::Timeout));
    let (averages, _) = ask(&world.paths, NOW, History::averages).expect("it can be read");
    assert_eq!(averages, HashMap::from([(name("web1"), Duration::from_millis(8500))]));
}

#[test]
fn a_history_that_is_missing_is_empty_and_is_not_made_by_looking() {
    let world = World::new();
    assert!(world.ids().is_empty());
    let (averages, _) = ask(&world.paths, NOW, History::averages).expect("it can be read");
    assert!(averages.is_empty());
    assert!(!world.paths.state().exists());
}

#[test]
fn a_run_as_json_has_the_fields_of_the_contract() {
    let record = run("web1", 0, Outcome::Success);
    let text = serde_json::to_string(&json::Run::from(&record)).expect("json");
    let value: serde_json::Value = serde_json::from_str(&text).expect("json");
    let fields: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    let contract = [
        "id",
        "fileset",
        "trigger",
        "started",
        "finished",
        "duration_s",
        "result",
        "error",
        "exit_code",
        "snapshot",
        "bytes_transferred",
        "files_transferred",
        "files_total",
        "bytes_total",
        "destroyed",
    ];
    for field in contract {
        assert!(fields.contains(&field), "{field} is missing");
    }
    assert_eq!(value["started"], "2026-01-01T00:00:00.123456789Z");
    assert_eq!((&value["duration_s"], &value["files_total"]), (&30.into(), &1000.into()));
    assert_eq!(value["error"], serde_json::Value::Null);
}
