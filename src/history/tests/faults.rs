//! A bad, full, read-only or missing place costs no run and no record.

use super::*;
use rusqlite::Connection;

/// A history of many runs, big enough that its pages are of several kinds.
fn filled() -> World {
    let world = World::new();
    let history = History::open(&world.db()).expect("it can be made");
    let runs: Vec<Record> =
        (0..2000).map(|minute| run(&format!("web{}", minute % 7), minute, Outcome::Success)).collect();
    history.insert(&runs).expect("it can be written");
    world
}

fn kept_aside(world: &World) -> Vec<String> {
    world.files().into_iter().filter(|file| file.contains(".corrupt-")).collect()
}

#[test]
fn what_is_no_database_is_kept_aside_with_all_that_is_its() {
    let world = World::new();
    fs::create_dir_all(world.paths.state()).expect("it can be made");
    fs::write(world.db(), "no database at all, but longer than any header would have to be. ".repeat(20))
        .expect("it can be written");
    fs::write(world.db().with_extension("db-shm"), "old").expect("it can be written");
    let notices = keep_first(&world.paths, &run("web1", 0, Outcome::Success));
    assert!(texts(&notices).contains("a new history begins"), "{notices:?}");
    assert_eq!(
        kept_aside(&world),
        ["history.db.corrupt-20260102T030405Z", "history.db.corrupt-20260102T030405Z-shm"]
    );
    assert_eq!(world.ids(), ["web10"]);

    // And once more within the same second, when a run before is known from elsewhere.
    end(&world.paths, &run("web1", 0, Outcome::Success), NOW);
    fs::write(world.db(), "x".repeat(5000)).expect("it can be written");
    let ended = end(&world.paths, &run("web1", 1, Outcome::Success), NOW);
    assert_eq!(ended.notices.len(), 1, "it is said once: {:?}", ended.notices);
    assert!(kept_aside(&world).contains(&"history.db.corrupt-20260102T030405Z.2".to_owned()));
    assert_eq!(world.ids(), ["web11"]);
}

#[test]
fn a_database_of_something_else_is_kept_aside() {
    let world = World::new();
    fs::create_dir_all(world.paths.state()).expect("it can be made");
    let db = Connection::open(world.db()).expect("it can be made");
    db.execute_batch("CREATE TABLE run (name TEXT); PRAGMA user_version = 1;").expect("it can be written");
    drop(db);
    let notices = keep_first(&world.paths, &run("web1", 0, Outcome::Success));
    assert!(texts(&notices).contains("a new history begins"), "{notices:?}");
    assert_eq!(world.ids(), ["web10"]);
}

#[test]
fn damage_that_only_a_write_meets_costs_no_record() {
    let world = filled();
    let size = fs::metadata(world.db()).expect("it is there").len();
    // All but the first page, where the schema is: opening finds nothing wrong.
    let mut bytes = fs::read(world.db()).expect("it can be read");
    bytes[4096..].fill(0xa5);
    fs::write(world.db(), &bytes).expect("it can be written");
    assert_eq!(fs::metadata(world.db()).expect("it is there").len(), size);
    let ended = end(&world.paths, &run("web1", 9999, Outcome::Success), NOW);
    assert!(texts(&ended.notices).contains("was damaged"), "{:?}", ended.notices);
    assert_eq!(ended.notices.len(), 1, "it is said once");
    assert_eq!((world.ids(), kept_aside(&world).len()), (vec!["web19999".to_owned()], 1));
    assert_eq!(fs::read(world.paths.state().join(&kept_aside(&world)[0])).expect("it is kept"), bytes);
}

#[test]
fn damage_that_a_question_meets_is_kept_aside_and_the_answer_is_empty() {
    let world = filled();
    let file = fs::File::options().write(true).open(world.db()).expect("it can be opened");
    file.set_len(4096 * 9).expect("it can be cut");
    let (runs, notices) =
        ask(&world.paths, NOW, |history| history.runs(None, None)).expect("damage is no error");
    assert_eq!((runs.len(), kept_aside(&world).len()), (0, 1), "{notices:?}");
    assert!(texts(&notices).contains("was damaged"));
    let overview = overview(&world.paths, [name("web1")].iter(), NOW);
    assert!(overview.notices.is_empty() && overview.averages.is_empty());
}

#[test]
fn only_the_file_that_was_found_damaged_is_moved() {
    let world = filled();
    let history = History::open(&world.db()).expect("a good one");
    let other = world.paths.state().join("other");
    fs::copy(world.db(), &other).expect("it can be copied");
    fs::rename(&other, world.db()).expect("it can be replaced");
    assert!(!history.is_in_place());
    let why = Error::Unsettled { path: world.db() };
    assert!(history.set_aside(NOW, &why).expect("it can").is_none(), "somebody else already did");
    assert_eq!(world.ids().len(), 2000);
}

#[test]
fn what_the_database_does_not_take_waits_and_goes_in_later() {
    let world = World::new();
    // Where the file should be is a directory: nothing can be opened there, not even by root.
    fs::create_dir_all(world.db()).expect("it can be made");
    for minute in 0..3 {
        let ended = end(&world.paths, &run("web1", minute, Outcome::Failure), NOW);
        assert!(
            ended.notices.iter().any(|notice| matches!(notice, Notice::Spooled { .. })),
            "{:?}",
            ended.notices
        );
        assert_eq!(ended.last.failures, minute + 1, "the last run is known without the history");
    }
    fs::remove_dir(world.db()).expect("it is empty");
    let (_, notices) = ask(&world.paths, NOW, |history| history.runs(None, None)).expect("it can be read");
    assert!(texts(&notices).contains(": 3 records; "), "{notices:?}");

    fs::write(world.paths.spool().join("bad.json"), "{").expect("it can be written");
    let notices = end(&world.paths, &run("web1", 3, Outcome::Success), NOW).notices;
    let texts = texts(&notices);
    assert!(texts.contains("3 records had waited") && texts.contains("bad.json.corrupt-"), "{texts}");
    assert!(texts.contains("was missing though filesets have run before"), "{texts}");
    assert_eq!(world.ids(), ["web13", "web12", "web11", "web10"]);
    assert_eq!(
        fs::read_dir(world.paths.spool()).expect("it is there").count(),
        1,
        "only the bad one is left"
    );
}

#[test]
fn an_id_stays_in_the_spool() {
    let world = World::new();
    let record = Record { id: "../../../etc/passwd\0".into(), ..run("web1", 0, Outcome::Success) };
    let file = spool::put(&world.paths, &record).expect("it can be written");
    assert_eq!(file, world.paths.spool().join("_________etc_passwd_.json"));
}

/// A small file system of its own, gone when dropped.
struct Small(PathBuf);

impl Small {
    /// `None` where we may not mount.
    fn mount(at: &Path) -> Option<Self> {
        nix::unistd::geteuid().is_root().then_some(())?;
        fs::create_dir_all(at).expect("it can be made");
        let done = call("mount", &["-t", "tmpfs", "-o", "size=128k", "tmpfs"], at);
        (done == Ending::Exited(0)).then(|| Self(at.to_owned()))
    }

    fn remount(&self, how: &str) {
        assert!(call("mount", &["-o", &format!("remount,{how}")], &self.0).is_clean());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        call("umount", &["-l"], &self.0);
    }
}

fn call(program: &str, args: &[&str], at: &Path) -> Ending {
    let stop = Stop::new().expect("a socket pair");
    let program = Program::find(program).expect("util-linux").args(args).arg(at);
    program.capture(Limits { stop: &stop, deadline: None }, 4096).expect("it runs").ending
}

#[test]
fn a_full_or_read_only_file_system_is_survived() {
    let world = World::new();
    let Some(small) = Small::mount(&world.paths.state()) else {
        println!("skipped: only root can mount a small file system");
        return;
    };
    end(&world.paths, &run("web1", 0, Outcome::Success), NOW);
    let filler = world.paths.state().join("filler");
    fs::write(&filler, vec![0; 1 << 20]).expect_err("the file system is small");

    let ended = end(&world.paths, &run("web1", 1, Outcome::Failure), NOW);
    let said = texts(&ended.notices);
    assert!(said.contains("web11") && said.contains("No space left on device"), "{said}");
    assert_eq!((ended.last.failures, ended.last.run.result), (1, Some(Outcome::Failure)));
    assert_eq!(world.ids(), ["web10"], "what was there is still there");

    small.remount("ro");
    let begun = begin(&world.paths, &open(&run("web1", 2, Outcome::Success)), NOW);
    assert!(texts(&begun.notices).contains("failed to keep the last run"), "{begun:?}");
    let ended = end(&world.paths, &run("web1", 2, Outcome::Success), NOW);
    assert!(ended.notices.iter().any(|notice| matches!(notice, Notice::Lost { .. })), "{:?}", ended.notices);
    assert_eq!(world.ids(), ["web10"], "a read-only history can be read");

    small.remount("rw");
    fs::remove_file(filler).expect("it is there");
    assert_eq!(texts(&end(&world.paths, &run("web1", 3, Outcome::Success), NOW).notices), "");
    assert_eq!(world.ids(), ["web13", "web10"]);
}
