//! What a run that died leaves, and what others did to it since.

use super::*;
use std::os::unix::fs::MetadataExt;

#[test]
fn whatever_step_a_run_died_at_the_next_one_opens() {
    type Step = (&'static str, fn(&Path), bool);
    let steps: [Step; 8] = [
        ("the dataset made", |_| {}, false),
        ("the marker drafted", |d| fs::write(d.join(".planb.new"), "acm").expect("written"), false),
        (
            "the marker made, a power cut before its content",
            |d| fs::write(d.join(".planb"), "").expect("written"),
            false,
        ),
        ("the marker written", |d| fs::write(d.join(".planb"), "acme-web1\n").expect("written"), false),
        (
            "the trash made",
            |d| {
                fs::write(d.join(".planb"), "acme-web1\n").expect("written");
                fs::create_dir(d.join(".trash")).expect("a directory");
            },
            false,
        ),
        (
            "the new tree begun",
            |d| {
                fs::write(d.join(".planb"), "acme-web1\n").expect("written");
                fs::create_dir(d.join(".new")).expect("a directory");
            },
            false,
        ),
        (
            "the new tree empty",
            |d| {
                fs::write(d.join(".planb"), "acme-web1\n").expect("written");
                fs::create_dir_all(d.join(".new/data")).expect("a directory");
            },
            false,
        ),
        (
            "the new tree half full",
            |d| {
                fs::write(d.join(".planb"), "acme-web1\n").expect("written");
                fs::create_dir_all(d.join(".new/data/etc/.planb-partial")).expect("a directory");
                fs::write(d.join(".new/data/etc/.planb-partial/big"), "ha").expect("written");
            },
            true,
        ),
    ];
    for (step, leave, leaves_something) in steps {
        let site = Site::directory();
        fs::create_dir(&site.path).expect("a directory");
        leave(&site.path);
        let open = site.open().unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(resumed(&open), leaves_something, "{step}");
        if leaves_something {
            let half = fs::read(new_tree(&site).join("etc/.planb-partial/big")).expect("it is there");
            assert_eq!(half, b"ha", "{step}");
        }
        open.snapshot(&name(FIRST)).unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(site.listed(), [FIRST], "{step}");
        assert_eq!(fs::read_to_string(site.path.join(".planb")).expect("marked"), "acme-web1\n", "{step}");
    }
}

#[test]
fn an_unfinished_tree_lets_go_of_history_before_it_is_written_to() {
    let site = Site::directory();
    site.run(FIRST, "one");
    let old = site.path.join(FIRST).join("data/file");
    let before = fs::metadata(&old).expect("it is there");
    let open = site.open().expect("it opens");
    fs::hard_link(&old, new_tree(&site).join("file")).expect("a hard link");
    fs::write(new_tree(&site).join("fresh"), "two").expect("written");
    drop(open);

    let open = site.open().expect("it opens");
    assert!(resumed(&open));
    assert!(!new_tree(&site).join("file").exists());
    assert_eq!(fs::read_to_string(new_tree(&site).join("fresh")).expect("kept"), "two");
    let after = fs::metadata(&old).expect("it is there");
    assert_eq!(
        (after.ino(), after.mode(), after.mtime(), after.mtime_nsec(), after.nlink()),
        (before.ino(), before.mode(), before.mtime(), before.mtime_nsec(), 1)
    );
    drop(open);

    // The reference it was linked from may be gone since.
    site.run(SECOND, "two");
    fs::create_dir_all(new_tree(&site)).expect("a directory");
    fs::hard_link(&old, new_tree(&site).join("file")).expect("a hard link");
    site.destroy(&[FIRST]).expect("destroyed");
    let open = site.open().expect("it opens");
    assert!(!new_tree(&site).join("file").exists());
    assert_eq!(reference(&open), Some(site.path.join(SECOND).join("data")));
}

#[test]
fn a_leftover_that_is_not_safe_is_put_aside() {
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("file"), "precious").expect("written");
    let leave: [fn(&Path, &Path); 3] = [
        |dataset, _| fs::write(dataset.join(".new"), "a file").expect("written"),
        |dataset, outside| symlink(outside, dataset.join(".new")).expect("a link"),
        |dataset, outside| {
            fs::create_dir(dataset.join(".new")).expect("a directory");
            symlink(outside, dataset.join(".new/data")).expect("a link");
        },
    ];
    for leave in leave {
        let site = Site::directory();
        site.run(FIRST, "one");
        leave(&site.path, outside.path());
        let open = site.open().expect("it opens");
        assert!(matches!(open.leftover(), Leftover::Discarded(_)), "{:?}", open.leftover());
        assert_eq!(site.trash(), ["new"]);
        assert!(fs::symlink_metadata(open.workspace().path()).expect("it is there").is_dir());
        site.empty_trash().expect("emptied");
        assert_eq!(site.trash(), [""; 0]);
    }
    assert_eq!(fs::read_to_string(outside.path().join("file")).expect("it is there"), "precious");
}
