//! How transfers end when they do not end well.

use super::sshd::{Sshd, executable, run};
use super::*;
use crate::transport::Verdict;
use nix::sys::signal::Signal;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;

/// A source whose first file takes a while.
fn slow(world: &World, settings: &mut Settings) {
    world.write("0 big", vec![b'x'; 6_000_000]);
    settings.bwlimit = Some("2M".parse().expect("a size"));
}

/// Does something once, as soon as the transfer runs.
fn once_running(mut act: impl FnMut()) -> impl FnMut(&Event) {
    let mut done = false;
    move |event| {
        if matches!(event, Event::Progress(p) if p.bytes > 0) && !done {
            done = true;
            act();
        }
    }
}

#[test]
fn a_lost_connection_is_a_failure() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut settings = world.over(&sshd);
    slow(&world, &mut settings);
    let failure =
        world.pull_and(&settings, &world.tree(1), once_running(|| sshd.signal(Signal::SIGKILL))).failed();
    assert_eq!(failure.verdict, Verdict::Failed);
    assert!(failure.reason.contains("connection"), "{failure}");
    assert!(failure.exit_code.is_some_and(|code| code != 0));
}

#[test]
fn a_stalled_source_is_a_failure() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut settings = world.over(&sshd);
    slow(&world, &mut settings);
    settings.stall_timeout = Span::from_secs(2);
    // First the whole connection, then only rsync on the source: its sshd goes on to answer ssh's questions.
    for (n, stall) in [(10, Sshd::signal as fn(&Sshd, Signal)), (12, Sshd::signal_commands)] {
        let started = Instant::now();
        let act = once_running(|| stall(&sshd, Signal::SIGSTOP));
        let failure = world.pull_and(&settings, &world.tree(n), act).failed();
        assert_eq!(failure.verdict, Verdict::Failed);
        assert!(failure.reason.contains("`stall-timeout`"), "{failure}");
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}

#[test]
fn a_deadline_and_a_wish_end_it() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut settings = world.over(&sshd);
    slow(&world, &mut settings);
    let stop = world.stop.clone();
    let failure = world.pull_and(&settings, &world.tree(1), once_running(|| stop.wish())).failed();
    assert_eq!((failure.verdict, failure.exit_code), (Verdict::Interrupted, None), "{failure}");

    let mut world = World::new();
    let mut settings = world.over(&sshd);
    slow(&world, &mut settings);
    world.timeout = Some(Duration::from_millis(800));
    let failure = world.pull(&settings, &world.tree(1)).failed();
    assert_eq!((failure.verdict, failure.exit_code), (Verdict::TimedOut, None), "{failure}");
}

#[test]
fn vanished_files_are_what_the_fileset_says() {
    let (world, sshd) = (World::new(), Sshd::start());
    for (n, vanished) in [Vanished::Retry, Vanished::Accept].into_iter().enumerate() {
        let mut settings = world.over(&sshd);
        slow(&world, &mut settings);
        settings.vanished = vanished;
        world.write("1 fleeting", "x");
        let fleeting = world.source().join("1 fleeting");
        let tree = world.tree(10 + 2 * u32::try_from(n).expect("small"));
        let pulled = world.pull_and(
            &settings,
            &tree,
            once_running(|| fs::remove_file(&fleeting).expect("it was still there")),
        );
        if vanished == Vanished::Accept {
            assert_eq!(pulled.ok().files, Some(1));
            continue;
        }
        let failure = pulled.failed();
        assert_eq!((failure.verdict, failure.exit_code), (Verdict::Deferred, Some(24)), "{failure}");
        assert!(failure.reason.contains("/1 fleeting\""), "{failure}");
    }
}

#[test]
fn a_file_that_grows_while_it_is_read_comes_whole_or_not_at_all() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut settings = world.over(&sshd);
    slow(&world, &mut settings);
    let big = world.source().join("0 big");
    let grow = || {
        use std::io::Write;
        let mut file = File::options().append(true).open(&big).expect("there");
        file.write_all(&[b'y'; 1000]).expect("written");
    };
    world.pull_and(&settings, &world.tree(1), once_running(grow)).ok();
    let came = fs::read(world.at("kept/1/0 big")).expect("there");
    assert!(came.len() >= 6_000_000 && came[..6_000_000].iter().all(|b| *b == b'x'), "{}", came.len());
}

#[test]
fn what_could_not_be_read_is_named() {
    if !is_root() {
        return;
    }
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("open", "x");
    for n in 0..7 {
        world.write(&format!("closed {n}/x"), "x");
        let closed = world.source().join(format!("closed {n}"));
        fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).expect("ours");
    }
    run("chmod", [OsStr::new("755"), world.dir.path().as_os_str()]);
    // A login that is not root: rsync over there runs as nobody.
    sshd.force("exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let settings = world.over(&sshd);
    let failure = world.pull(&settings, &world.tree(1)).failed();
    assert_eq!((failure.verdict, failure.exit_code), (Verdict::Failed, Some(23)), "{failure}");
    for words in ["closed 0\" (Permission denied)", "and 2 more", "sudo = true"] {
        assert!(failure.reason.contains(words), "{failure}");
    }
    // And what is there already must not go because it could not be seen.
    let pulled = world.pull(&settings.include(&["/open"]), &world.tree(3));
    pulled.ok();
}

#[test]
fn a_missing_source_is_named() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut settings = world.over(&sshd);
    settings.ssh().path = "/no/such/directory".parse().expect("a path");
    let failure = world.pull(&settings, &world.tree(1)).failed();
    assert!(failure.reason.contains("\"/no/such/directory\" (No such file or directory)"), "{failure}");
}

#[test]
fn a_full_storage_is_recognised() {
    if !is_root() {
        return;
    }
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("big", vec![b'x'; 4_000_000]);
    let mount = world.at("kept/1");
    fs::create_dir(&mount).expect("created");
    let options = ["-t", "tmpfs", "-o", "size=1m", "none"].map(OsStr::new);
    run("mount", options.iter().copied().chain([mount.as_os_str()]));
    let failure = world.pull(&world.over(&sshd), &world.tree(1)).failed();
    run("umount", [&mount]);
    assert!(failure.reason.contains("the backup storage is full (No space left on device)"), "{failure}");
}

#[test]
fn a_source_can_ask_to_be_left_alone() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("f", "f");
    // The directory is a fixed one of the source: a private one stands in its place.
    let state = tempfile::tempdir().expect("a directory");
    let state = state.path();
    sshd.force(&format!(
        "exec sh -c \"$(printf %s \"$SSH_ORIGINAL_COMMAND\" | sed 's,/var/lib/planb,{},g')\"",
        state.display()
    ));
    let mut settings = world.over(&sshd);
    settings.ssh().do_not_run = true;
    settings.ssh().ionice = Ionice::BestEffort;
    world.pull(&settings, &world.tree(1)).ok();

    fs::create_dir_all(state.join("do-not-run.d")).expect("created");
    fs::write(state.join("do-not-run.d/.hidden"), "").expect("written");
    world.pull(&settings, &world.tree(1)).ok();

    fs::write(state.join("do-not-run.d/upgrade \u{1b}[2J'\"$(id)"), "").expect("written");
    fs::write(state.join("do-not-run.d/zz"), "").expect("written");
    let failure = world.pull(&settings, &world.tree(2)).failed();
    assert_eq!(failure.verdict, Verdict::Deferred, "{failure}");
    assert!(
        failure.reason.contains("127.0.0.1 does not want") && failure.reason.ends_with(" zz"),
        "{failure}"
    );
    assert!(failure.reason.contains("upgrade ?") && !failure.reason.contains('$'), "{failure}");
    assert!(names(&world.at("kept/2")).is_empty());

    settings.ssh().do_not_run = false;
    world.pull(&settings, &world.tree(2)).ok();

    settings.ssh().do_not_run = true;
    fs::remove_dir_all(state.join("do-not-run.d")).expect("removed");
    fs::write(state.join("do-not-run.d"), "not a directory").expect("written");
    let failure = world.pull(&settings, &world.tree(2)).failed();
    assert_eq!(failure.verdict, Verdict::Failed, "{failure}");
    assert!(failure.reason.contains("cannot look into"), "{failure}");
}

#[test]
fn this_machine_can_ask_to_be_left_alone() {
    let world = World::new();
    let dir = world.at("do-not-run.d");
    assert_eq!(super::super::not_now(&dir), Ok(()));
    fs::create_dir(&dir).expect("created");
    fs::write(dir.join(".hidden"), "").expect("written");
    assert_eq!(super::super::not_now(&dir), Ok(()));
    fs::write(dir.join("upgrade"), "").expect("written");
    let failure = super::super::not_now(&dir).expect_err("a wish");
    assert_eq!(failure.verdict, Verdict::Deferred);
    assert!(failure.reason.ends_with(" upgrade"), "{failure}");
}

#[test]
fn an_rsync_that_does_nothing_is_no_success() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut settings = world.over(&sshd);
    let nothing = world.at("run/nothing");
    executable(&nothing, "#!/bin/sh\nexit 0\n");
    sshd.force(&format!("exec '{}'", nothing.display().to_string().replace('\'', "'\\''")));
    slow(&world, &mut settings);
    let failure = world.pull(&settings, &world.tree(1)).failed();
    assert_eq!(failure.verdict, Verdict::Failed, "{failure}");
}

#[test]
fn the_fileset_stays_locked_as_long_as_rsync_runs() {
    let world = World::new();
    let mut settings = world.local();
    slow(&world, &mut settings);
    let lock = world.at("lock");
    let open = || File::options().append(true).create(true).open(&lock).expect("a lock file");
    let is_free = || open().try_lock().is_ok();
    let is_ours = || {
        let mut open = fs::read_dir("/proc/self/fd").expect("readable").filter_map(Result::ok);
        open.any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == lock))
    };
    // Given away: from the moment rsync has started, only rsync has it.
    let hold = open();
    hold.lock().expect("nobody else's");
    assert!(is_ours());
    let mut found = Vec::new();
    let tree = world.tree(1);
    world.pull_holding(hold, &settings, &tree, once_running(|| found.push((is_free(), is_ours())))).ok();
    assert_eq!((found, is_free()), (vec![(false, false)], true));
}

#[test]
fn progress_is_told_while_it_happens() {
    let (world, sshd) = (World::new(), Sshd::start());
    let mut settings = world.over(&sshd);
    slow(&world, &mut settings);
    let pulled = world.pull(&settings, &world.tree(1));
    let fractions: Vec<f64> = pulled
        .events
        .iter()
        .filter_map(|e| if let Event::Progress(p) = e { p.fraction } else { None })
        .collect();
    assert!(fractions.iter().any(|f| (0.1..0.9).contains(f)), "{fractions:?}");
    pulled.ok();
}
