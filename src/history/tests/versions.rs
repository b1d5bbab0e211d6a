//! Old files are brought up to date, newer ones are left alone.

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

#[test]
#[ignore = "makes tests/history/v1.db anew"]
fn make() {
    let world = World::new();
    for (minute, outcome) in Outcome::ALL.into_iter().enumerate() {
        let minute = u32::try_from(minute).expect("few");
        keep_first(&world.paths, &run("web1", minute, outcome));
        keep_first(&world.paths, &run("web2", minute + 10, outcome));
    }
    fs::copy(world.db(), "tests/history/v1.db").expect("it can be copied");
}
