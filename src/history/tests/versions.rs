//! Old files are brought up to date, newer ones are left alone.

use super::super::database::MIGRATIONS;
use super::super::query::{AVERAGES, FILESETS};
use super::*;
use rusqlite::Connection;

#[test]
fn a_newer_history_is_left_alone_and_no_record_is_lost() {
    let world = World::new();
    keep_first(&world.paths, &run("web1", 0, Outcome::Success));
    let db = Connection::open(world.db()).expect("it can be opened");
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number");
    db.pragma_update(None, "user_version", 1000).expect("it can be written");
    drop(db);
    let before = fs::read(world.db()).expect("it can be read");

    let error = ask(&world.paths, NOW, |history| history.runs(None, None)).expect_err("it cannot be known");
    assert!(error.to_string().contains("at version 1000"), "{error}");
    let notices = keep_first(&world.paths, &run("web1", 1, Outcome::Success));
    assert!(matches!(&notices[..], [Notice::Spooled { .. }]), "{notices:?}");
    assert_eq!(fs::read(world.db()).expect("it can be read"), before);
    assert_eq!(world.files(), ["history.db", "spool"]);

    let db = Connection::open(world.db()).expect("it can be opened");
    db.pragma_update(None, "user_version", version).expect("it can be written");
    drop(db);
    keep_first(&world.paths, &run("web1", 2, Outcome::Success));
    assert_eq!(world.ids(), ["web12", "web11", "web10"]);
}

/// What `make` puts into a kept file.
fn kept() -> Vec<Record> {
    let minutes = Outcome::ALL.into_iter().zip(0..);
    minutes
        .flat_map(|(outcome, minute)| [run("web1", minute, outcome), run("web2", minute + 10, outcome)])
        .collect()
}

/// The files of all versions there have been, as those versions wrote them.
#[test]
fn an_old_history_is_brought_up_to_date_with_all_it_holds() {
    let mut expected = kept();
    expected.sort_by_key(|run| std::cmp::Reverse(run.started));
    for version in 1..=MIGRATIONS.len() {
        let world = World::new();
        fs::create_dir_all(world.paths.state()).expect("it can be made");
        fs::copy(format!("tests/history/v{version}.db"), world.db()).expect("a kept file of every version");
        let db = Connection::open(world.db()).expect("it can be opened");
        let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number");
        assert_eq!(found as usize, version, "the kept file is of its version");

        let (runs, notices) =
            ask(&world.paths, NOW, |history| history.runs(None, None)).expect("it can be read");
        assert_eq!((runs, texts(&notices)), (expected.clone(), String::new()));
        keep_first(&world.paths, &run("web3", 100, Outcome::Success));
        let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number");
        assert_eq!(found as usize, MIGRATIONS.len());
        assert_eq!(world.ids().len(), expected.len() + 1);
        assert_eq!(schema(&world), schema(&fresh()), "an old file becomes what a new one is");
    }
}

fn fresh() -> World {
    let world = World::new();
    keep_first(&world.paths, &run("web1", 0, Outcome::Success));
    world
}

fn schema(world: &World) -> Vec<String> {
    let db = Connection::open(world.db()).expect("it can be opened");
    let mut statement =
        db.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").expect("it fits");
    let rows = statement.query_map((), |row| row.get(0)).expect("it can be read");
    rows.collect::<Result<_, _>>().expect("text")
}

/// Every question that `planb list` asks of all filesets at once is answered without reading all of the table.
#[test]
fn averages_come_from_an_index_alone() {
    let world = fresh();
    let history = History::read(&world.db()).expect("it can be read");
    let plan = |sql: &str| -> String {
        let mut statement = history.db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("it fits");
        let rows = statement.query_map((), |row| row.get::<_, String>(3)).expect("it can be read");
        rows.map(|row| row.expect("text") + "\n").collect()
    };
    let averages = plan(&format!("{FILESETS} {AVERAGES}"));
    assert!(averages.contains("USING COVERING INDEX run_success"), "{averages}");
    assert!(!averages.contains("SCAN run") && !averages.contains("TEMP B-TREE"), "{averages}");
}

#[test]
#[ignore = "makes the kept file of the present version: once, when the version is new"]
fn make() {
    let world = World::new();
    for run in kept() {
        keep_first(&world.paths, &run);
    }
    let file = format!("tests/history/v{}.db", MIGRATIONS.len());
    fs::copy(world.db(), &file).expect("it can be copied");
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("it is ours");
}
