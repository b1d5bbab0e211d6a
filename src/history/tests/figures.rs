//! Figures to look at, not to pass: run with `--run-ignored only --no-capture`, best in a release build.

use super::*;
use std::time::Instant;

#[test]
#[ignore = "a measurement"]
fn what_a_list_of_1000_filesets_and_100_000_runs_costs() {
    let world = World::new();
    let history = History::open(&world.db()).expect("it can be made");
    let outcomes = |n: u32| if n.is_multiple_of(9) { Outcome::Failure } else { Outcome::Success };
    for day in 0..100 {
        let runs: Vec<Record> =
            (0..1000).map(|n| run(&format!("web{n}"), day * 1440 + n, outcomes(day + n))).collect();
        history.insert(&runs).expect("it can be written");
    }
    let names: Vec<Name> = (0..1000).map(|n| name(&format!("web{n}"))).collect();
    let missing = overview(&world.paths, names.iter(), NOW);
    let mut notices = Vec::new();
    for last in missing.last.values() {
        last::save(&world.paths, last, &mut notices);
    }
    assert_eq!((missing.last.len(), notices.len()), (1000, 0));
    drop(history);

    let timed = |what: &str, work: &dyn Fn() -> usize| {
        for _ in 0..3 {
            let start = Instant::now();
            let count = work();
            println!("{what}: {count} in {:.1} ms", start.elapsed().as_secs_f64() * 1000.0);
        }
    };
    let ask =
        |question: fn(&History) -> Result<usize, Error>| ask(&world.paths, NOW, question).expect("it can").0;
    timed("averages", &|| ask(|history| Ok(history.averages()?.len())));
    timed("streaks", &|| ask(|history| Ok(history.streaks()?.len())));
    timed("last runs", &|| ask(|history| Ok(history.last_runs()?.len())));
    timed("newest 50 of all", &|| ask(|history| Ok(history.runs(None, Some(50))?.len())));
    timed("all runs", &|| ask(|history| Ok(history.runs(None, None)?.len())));
    timed("overview", &|| overview(&world.paths, names.iter(), NOW).last.len());
    timed("one run kept", &|| keep_first(&world.paths, &run("web1", 999_999, Outcome::Success)).len());
    println!("{} bytes", fs::metadata(world.db()).expect("it is there").len());
}
