//! Many processes at once, some of them killed; readers that may not write.

use super::*;
use std::os::unix::fs::chown;
use std::sync::Mutex;

/// Runs one of the ignored tests below in a process of its own, with a world to work on.
fn process(test: &str, world: &World, told: &str) -> Program {
    itself(Program::find("/proc/self/exe").expect("this program"), test, world, told)
}

fn itself(program: Program, test: &str, world: &World, told: &str) -> Program {
    let root = world.paths.state();
    let root = root.ancestors().nth(3).expect("the root");
    program
        .args(["--ignored", "--exact", "--nocapture"])
        .arg(format!("history::tests::processes::{test}"))
        .env("WORLD", root)
        .env("WORD", told)
}

#[expect(clippy::disallowed_methods, reason = "how a process of this test hears what to do")]
fn told(variable: &str) -> String {
    std::env::var(variable).expect("it is set by the test that starts this process")
}

#[test]
#[ignore = "a process that other tests start"]
fn writer() {
    let paths = Paths::new(Some(told("WORLD").into()));
    let word = told("WORD");
    for minute in 0..25 {
        let record = run(&word, minute, Outcome::Success);
        for notice in keep_first(&paths, &record) {
            println!("NOTICE {notice}");
        }
        println!("KEPT {}", record.id);
    }
}

#[test]
#[ignore = "a process that other tests start"]
fn reader() {
    let paths = Paths::new(Some(told("WORLD").into()));
    match ask(&paths, NOW, |history| history.runs(None, None)) {
        Ok((runs, _)) => println!("READ {}", runs.len()),
        Err(error) => println!("FAILED {error}"),
    }
}

#[test]
fn many_processes_write_at_once_and_some_are_ended_in_the_middle() {
    let world = World::new();
    let kept = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (world, kept) = (&world, &kept);
            scope.spawn(move || {
                let stop = Stop::new().expect("a socket pair");
                let program = process("writer", world, &format!("web{writer}x"));
                let mut output = Vec::new();
                let ending = program
                    .run(Limits { stop: &stop, deadline: None }, |_, bytes| {
                        output.extend_from_slice(bytes);
                        // Two of them have an end somewhere in their work.
                        if writer < 2 && output.windows(5).filter(|w| w == b"KEPT ").count() > 5 {
                            stop.wish();
                        }
                    })
                    .expect("it runs");
                let output = String::from_utf8(output).expect("utf-8");
                assert!(writer < 2 || ending.is_clean(), "{ending}: {output}");
                assert!(!output.contains("NOTICE"), "{output}");
                let ids = output.lines().filter_map(|line| line.strip_prefix("KEPT ")).map(str::to_owned);
                kept.lock().expect("nobody panicked").extend(ids);
            });
        }
    });
    let kept = kept.into_inner().expect("nobody panicked");
    assert!(kept.len() >= 6 * 25 + 2 * 6, "{}", kept.len());
    let found = world.ids();
    for id in &kept {
        assert!(found.contains(id), "{id} was kept and is not there");
    }
    let db = rusqlite::Connection::open(world.db()).expect("it can be opened");
    let sound: String = db.pragma_query_value(None, "integrity_check", |row| row.get(0)).expect("a word");
    assert_eq!(sound, "ok");
    assert!(!world.paths.spool().exists());
}

#[test]
fn many_processes_find_it_damaged_at_once_and_no_record_is_lost() {
    let world = World::new();
    fs::create_dir_all(world.paths.state()).expect("it can be made");
    fs::write(world.db(), "x".repeat(5000)).expect("it can be written");
    let said = Mutex::new(String::new());
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (world, said) = (&world, &said);
            scope.spawn(move || {
                let stop = Stop::new().expect("a socket pair");
                let program = process("writer", world, &format!("web{writer}x"));
                let done = program.capture(Limits { stop: &stop, deadline: None }, 1 << 16).expect("it runs");
                let output = String::from_utf8(done.stdout).expect("utf-8");
                assert!(done.ending.is_clean(), "{output}");
                said.lock().expect("nobody panicked").push_str(&output);
            });
        }
    });
    let said = said.into_inner().expect("nobody panicked");
    assert_eq!(said.matches("was damaged").count(), 1, "{said}");
    assert_eq!((said.matches("NOTICE").count(), world.ids().len()), (1, 8 * 25), "{said}");
    let aside: Vec<String> = world.files().into_iter().filter(|file| file.contains("corrupt")).collect();
    assert_eq!(aside, ["history.db.corrupt-20260102T030405Z"]);
}

/// As user and group `nobody`, who is the group of the world's state directory and may write nothing there.
fn read_as_nobody(world: &World) -> String {
    let exe = fs::read_link("/proc/self/exe").expect("this program");
    let setpriv = Program::find("setpriv")
        .expect("util-linux")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(exe);
    let stop = Stop::new().expect("a socket pair");
    let done = itself(setpriv, "reader", world, "")
        .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
        .expect("it runs");
    let output = String::from_utf8(done.stdout).expect("utf-8");
    let said = output.lines().find(|line| line.starts_with("READ ") || line.starts_with("FAILED "));
    said.unwrap_or_else(|| panic!("{output}{}", String::from_utf8_lossy(&done.stderr))).to_owned()
}

#[test]
fn who_may_only_read_can_read() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become somebody else");
        return;
    }
    let world = World::new();
    let state = world.paths.state();
    fs::create_dir_all(&state).expect("it can be made");
    let root = state.ancestors().nth(3).expect("the root");
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o750)).expect("it is ours");
    chown(&state, None, Some(65534)).expect("root may");
    assert_eq!(read_as_nobody(&world), "READ 0");
    keep_first(&world.paths, &run("web1", 0, Outcome::Success));
    assert_eq!(read_as_nobody(&world), "READ 1");
    assert_eq!(world.files(), ["history.db"]);

    // A writer that was killed in the middle left a journal. Who may not play it back is told so; who may, reads on.
    let writing = History::open(&world.db()).expect("it can be opened");
    writing.db.pragma_update(None, "cache_spill", 1).expect("it can be set");
    writing.db.pragma_update(None, "cache_size", 1).expect("it can be set");
    writing.db.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    for minute in 0..500 {
        row::insert(&writing.db, &run("web2", minute, Outcome::Success)).expect("it can be written");
    }
    let journal = state.join("history.db-journal");
    assert!(fs::metadata(&journal).is_ok_and(|meta| meta.len() > 0), "the journal is there");
    let (half, played) = (state.join("half"), state.join("half-journal"));
    fs::copy(world.db(), &half).expect("it can be copied");
    fs::copy(&journal, &played).expect("it can be copied");
    drop(writing);
    fs::rename(&half, world.db()).expect("it can be replaced");
    fs::rename(&played, &journal).expect("it can be replaced");
    for file in [&world.db(), &journal] {
        chown(file, None, Some(65534)).expect("root may");
    }
    let said = read_as_nobody(&world);
    assert!(said.starts_with("FAILED failed to "), "{said}");
    assert_eq!(world.ids(), ["web10"], "the half-written runs are undone");
    assert_eq!(read_as_nobody(&world), "READ 1");

    // Nor may they move a damaged one aside.
    fs::write(world.db(), "x".repeat(5000)).expect("it can be written");
    let said = read_as_nobody(&world);
    assert!(said.starts_with("FAILED") && said.contains("is damaged"), "{said}");
    assert_eq!(fs::metadata(world.db()).expect("it stays").len(), 5000);
}
