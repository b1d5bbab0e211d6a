use super::*;
use nix::fcntl::{AT_FDCWD, RenameFlags, open, renameat2};
use nix::sys::stat::mkdirat;
use nix::unistd::{Gid, Uid, geteuid, mkfifo, setfsgid, setfsuid};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn stop() -> Stop {
    Stop::new().expect("a socket pair")
}

fn top(path: &Path) -> OwnedFd {
    open(path, DIRECTORY, Mode::empty()).expect("the top opens")
}

fn empty(path: &Path) -> Walked {
    walk(top(path), Task::Empty, &stop()).expect("the walk comes to its end")
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).expect("it lists").next().is_none()
}

/// `levels` directories in one another, a file in each.
fn deep(path: &Path, levels: usize) {
    let mut here = top(path);
    for _ in 0..levels {
        mkdirat(&here, "d", Mode::S_IRWXU).expect("a directory");
        here = openat(&here, "d", DIRECTORY, Mode::empty()).expect("it opens");
        openat(&here, "f", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRUSR).expect("a file");
    }
}

#[test]
fn ten_thousand_levels_are_no_challenge() {
    let tree = tempfile::tempdir().expect("a directory");
    deep(tree.path(), 10_000);
    let walked = empty(tree.path());
    assert_eq!((walked.removed, walked.failures), (20_000, 0));
    assert!(is_empty(tree.path()));
}

#[test]
fn any_name_and_any_kind_of_file_is_removed() {
    let tree = tempfile::tempdir().expect("a directory");
    let names: [&[u8]; 8] =
        [b"plain", b"\xff\xfe", b"new\nline", b"-rf", b"...", b" ", b"planb-20260102T0304Z", &[b'x'; 255]];
    for name in names {
        let directory = tree.path().join(OsStr::from_bytes(name));
        fs::create_dir(&directory).expect("a directory");
        for name in names {
            fs::write(directory.join(OsStr::from_bytes(name)), "").expect("a file");
        }
        mkfifo(&directory.join("fifo"), Mode::S_IRWXU).expect("a fifo");
    }
    let walked = empty(tree.path());
    assert_eq!((walked.removed, walked.failures), (8 * 10, 0));
    assert!(is_empty(tree.path()));
}

#[test]
fn links_are_removed_and_what_they_lead_to_is_not() {
    let tree = tempfile::tempdir().expect("a directory");
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("file"), "precious").expect("a file");
    fs::create_dir(tree.path().join("d")).expect("a directory");
    symlink(outside.path(), tree.path().join("d/directory")).expect("a link");
    symlink(outside.path().join("file"), tree.path().join("d/file")).expect("a link");
    symlink("..", tree.path().join("d/up")).expect("a link");
    assert_eq!(empty(tree.path()).removed, 4);
    assert_eq!(fs::read_to_string(outside.path().join("file")).expect("it is there"), "precious");
}

#[test]
fn a_link_swapped_into_a_directorys_place_leads_nowhere() {
    let parent = tempfile::tempdir().expect("a directory");
    let (tree, outside) = (parent.path().join("tree"), parent.path().join("outside"));
    fs::create_dir(&outside).expect("a directory");
    fs::write(outside.join("file"), "precious").expect("a file");

    // Exactly between listing and entering.
    fs::create_dir_all(tree.join("d")).expect("a directory");
    let never = stop();
    let mut between = begin(&tree, &never);
    fs::rename(tree.join("d"), parent.path().join("was")).expect("renamed");
    symlink(&outside, tree.join("d")).expect("a link");
    between.enter(c"d".to_owned());
    assert_eq!((between.walked.removed, between.walked.failures, between.levels.len()), (1, 0, 1));

    // At any moment.
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (tree.join("d/sub"), tree.join("d/link"));
            while !done.load(Ordering::Relaxed) {
                let _ = renameat2(AT_FDCWD, &a, AT_FDCWD, &b, RenameFlags::RENAME_EXCHANGE);
            }
        });
        for _ in 0..300 {
            fs::create_dir_all(tree.join("d")).expect("a directory");
            symlink(&outside, tree.join("d/link")).expect("a link");
            fs::create_dir(tree.join("d/sub")).expect("a directory");
            // An exchange can hide an entry from the one listing; the next walk sees it.
            while !is_empty(&tree) {
                empty(&tree);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_to_string(outside.join("file")).expect("it is there"), "precious");
}

fn begin<'a>(tree: &Path, stop: &'a Stop) -> Walk<'a> {
    let here = top(tree);
    let identity = Identity::of(&fstat(&here).expect("a stat"));
    let levels = vec![Level { name: CString::default(), identity, below: Vec::new() }];
    Walk { task: Task::Empty, stop, here, levels, walked: Walked::default() }
}

#[test]
fn a_directory_moved_away_under_the_walk_ends_it() {
    let parent = tempfile::tempdir().expect("a directory");
    let (tree, outside) = (parent.path().join("tree"), parent.path().join("outside"));
    fs::create_dir_all(tree.join("d")).expect("a directory");
    fs::create_dir(&outside).expect("a directory");
    let never = stop();
    let mut walk = begin(&tree, &never);
    walk.enter(c"d".to_owned());
    fs::rename(tree.join("d"), outside.join("d")).expect("renamed");
    let error = walk.leave().expect_err("not the way it came");
    assert_eq!(error.to_string(), "d was moved elsewhere meanwhile");
    assert!(outside.join("d").exists());
}

#[test]
fn two_walks_at_once_share_the_work() {
    let tree = tempfile::tempdir().expect("a directory");
    for a in 0..30 {
        for b in 0..10 {
            let directory = tree.path().join(format!("{a}/{b}"));
            fs::create_dir_all(&directory).expect("a directory");
            for c in 0..10 {
                fs::write(directory.join(c.to_string()), "").expect("a file");
            }
        }
    }
    let walked = std::thread::scope(|scope| {
        let walks = [(); 2].map(|()| scope.spawn(|| empty(tree.path())));
        walks.map(|walk| walk.join().expect("it comes to its end"))
    });
    assert_eq!(walked.iter().map(|w| w.failures).sum::<u64>(), 0, "{walked:?}");
    assert_eq!(walked.iter().map(|w| w.removed).sum::<u64>(), 3000 + 300 + 30);
    assert!(is_empty(tree.path()));
}

#[test]
fn a_stopped_walk_is_gone_on_with() {
    let tree = tempfile::tempdir().expect("a directory");
    deep(tree.path(), 3);
    let wished = stop();
    wished.wish();
    let walked = walk(top(tree.path()), Task::Empty, &wished).expect("it ends");
    assert!(walked.stopped && walked.removed == 0 && !is_empty(tree.path()));
    assert_eq!(empty(tree.path()).removed, 6);
    assert!(is_empty(tree.path()));
}

#[test]
fn only_what_has_other_names_is_unshared() {
    let parent = tempfile::tempdir().expect("a directory");
    let (history, tree) = (parent.path().join("history"), parent.path().join("tree"));
    fs::create_dir_all(&history).expect("a directory");
    fs::create_dir_all(tree.join("a/b/.partial")).expect("a directory");
    fs::write(history.join("file"), "old").expect("a file");
    fs::set_permissions(history.join("file"), fs::Permissions::from_mode(0o640)).expect("its mode");
    symlink("nowhere", history.join("link")).expect("a link");
    let before = fs::symlink_metadata(history.join("file")).expect("it is there");
    for name in ["file", "link"] {
        fs::hard_link(history.join(name), tree.join("a").join(name)).expect("a hard link");
        fs::hard_link(history.join(name), tree.join("a/b").join(name)).expect("a hard link");
    }
    fs::write(tree.join("a/mine"), "new").expect("a file");
    fs::write(tree.join("a/b/.partial/half"), "ne").expect("a file");
    symlink(&history, tree.join("a/b/mine")).expect("a link");

    let walked = walk(top(&tree), Task::Unshare, &stop()).expect("it comes to its end");
    assert_eq!((walked.removed, walked.failures), (4, 0));
    assert_eq!(fs::read(tree.join("a/mine")).expect("kept"), b"new");
    assert_eq!(fs::read(tree.join("a/b/.partial/half")).expect("kept"), b"ne");
    assert!(tree.join("a/b/mine").is_symlink());
    let after = fs::symlink_metadata(history.join("file")).expect("it is there");
    assert_eq!((after.ino(), after.mode(), after.nlink()), (before.ino(), before.mode(), 1));
    assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
}

/// Runs `work` bound by modes as anybody is. Root puts its rights over files down in a thread that then ends:
/// a change of the file system user id is a thread's own (setfsuid(2)).
fn unprivileged<T: Send>(tree: &Path, work: impl FnOnce() -> T + Send) -> T {
    const NOBODY: u32 = 65_534;
    let root = geteuid().is_root();
    if root {
        for path in [tree, tree.parent().expect("a parent")] {
            nix::unistd::chown(path, Some(Uid::from_raw(NOBODY)), None).expect("chown");
        }
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            if root {
                setfsgid(Gid::from_raw(NOBODY));
                setfsuid(Uid::from_raw(NOBODY));
            }
            work()
        });
        thread.join().expect("the work is done")
    })
}

#[test]
fn modes_of_the_source_do_not_stop_who_is_not_root() {
    for task in [Task::Empty, Task::Unshare] {
        let parent = tempfile::tempdir().expect("a directory");
        let tree = parent.path().join("tree");
        fs::create_dir(&tree).expect("a directory");
        unprivileged(&tree, || {
            for mode in [0o000, 0o100, 0o300, 0o400, 0o500, 0o600] {
                let directory = tree.join(format!("{mode:o}"));
                fs::create_dir_all(directory.join("sub")).expect("a directory");
                fs::write(directory.join("sub/file"), "").expect("a file");
                fs::hard_link(directory.join("sub/file"), directory.join("same")).expect("a hard link");
                for path in [directory.join("sub"), directory] {
                    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
                }
            }
            let sealed = fs::read_dir(tree.join("0")).expect_err("nobody may read it");
            assert_eq!(
                sealed.kind(),
                io::ErrorKind::PermissionDenied,
                "the test runs with rights it should not have"
            );
            let walked = walk(top(&tree), task, &stop()).expect("it comes to its end");
            assert_eq!(walked.failures, 0, "{walked:?}");
            // Of two names for one file the second one met is its only one.
            let (removed, empty) = if task == Task::Empty { (6 * 4, true) } else { (6, false) };
            assert_eq!((walked.removed, is_empty(&tree)), (removed, empty));
        });
    }
}

#[test]
fn what_cannot_be_removed_is_told_and_the_rest_is_removed() {
    let parent = tempfile::tempdir().expect("a directory");
    let tree = parent.path().join("tree");
    fs::create_dir(&tree).expect("a directory");
    if !geteuid().is_root() {
        assert_ne!(ci(), Some(true), "only root can make a directory of somebody else's");
        eprintln!("skipped: only root can make a directory of somebody else's");
        return;
    }
    fs::create_dir_all(tree.join("a/not-ours")).expect("a directory");
    fs::write(tree.join("a/not-ours/file"), "").expect("a file");
    fs::write(tree.join("a/ours"), "").expect("a file");
    nix::unistd::chown(&tree.join("a"), Some(Uid::from_raw(65_534)), None).expect("chown");
    let walked = unprivileged(&tree, || empty(&tree));
    let (first, error) = walked.first_failure.expect("a failure");
    assert!(first.starts_with("a/not-ours"), "{first:?}");
    assert!(matches!(error.kind(), io::ErrorKind::PermissionDenied), "{error:?}");
    assert!(tree.join("a/not-ours/file").exists() && !tree.join("a/ours").exists());
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that is skipped in CI would be a test that is not there"
)]
pub fn ci() -> Option<bool> {
    std::env::var_os("CI").map(|ci| ci == "true")
}
