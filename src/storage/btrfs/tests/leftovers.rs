//! What a run that died leaves.

use super::*;

/// What it did last, what that leaves in the dataset's directory, and whether the next run has something to go on with.
type Step<'s> = (&'s str, Box<dyn Fn(&Path) + 's>, bool);

#[test]
fn whatever_step_a_run_died_at_the_next_one_goes_on_and_clears_up() {
    let Some(site) = site() else { return };
    let snapshot = |of: &Path, at: &Path| {
        tool(
            "btrfs",
            ["subvolume".as_ref(), "snapshot".as_ref(), "-r".as_ref(), of.as_os_str(), at.as_os_str()],
        );
    };
    let marked = |d: &Path| {
        fs::create_dir(d).expect("a directory");
        fs::write(d.join(".planb"), "acme-web1\n").expect("written");
        fs::create_dir(d.join(".trash")).expect("a directory");
    };
    let made = |d: &Path| {
        marked(d);
        btrfs(&["subvolume", "create"], &d.join("data"));
    };
    let half = |d: &Path| {
        made(d);
        fs::create_dir(d.join(".new")).expect("a directory");
        fs::write(d.join("data/file"), "half").expect("written");
    };
    let steps: [Step<'_>; 8] = [
        ("the dataset made", Box::new(|d| fs::create_dir(d).expect("a directory")), false),
        ("the marker written", Box::new(marked), false),
        ("the subvolume made", Box::new(made), false),
        (
            "opened",
            Box::new(|d| {
                made(d);
                fs::create_dir(d.join(".new")).expect("a directory");
            }),
            false,
        ),
        ("half of it transferred", Box::new(half), true),
        (
            "the snapshot made, without a name",
            Box::new(|d| {
                half(d);
                snapshot(&d.join("data"), &d.join(".new/data"));
            }),
            true,
        ),
        (
            "a snapshot deleted, its name still there",
            Box::new(|d| {
                half(d);
                fs::create_dir(d.join(SECOND)).expect("a directory");
            }),
            true,
        ),
        (
            "the storage was one of trees, and a tree half full",
            Box::new(|d| {
                half(d);
                fs::create_dir_all(d.join(".new/data/etc")).expect("directories");
            }),
            true,
        ),
    ];
    for (step, leave, leaves_something) in steps {
        leave(&site.path);
        let open = site.open().unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(resumed(&open), leaves_something, "{step}");
        if leaves_something {
            assert_eq!(fs::read_to_string(live(&site).join("file")).expect("kept"), "half", "{step}");
        }
        assert_eq!(site.listed(), [""; 0], "{step}");
        fs::write(live(&site).join("file"), "whole").expect("written");
        open.snapshot(&name(FIRST)).unwrap_or_else(|error| panic!("{step}: {error}"));
        assert_eq!(
            (site.listed(), site.content(FIRST).as_str()),
            (vec![FIRST.to_owned()], "whole"),
            "{step}"
        );
        site.empty_trash().unwrap_or_else(|error| panic!("{step}: {error}"));
        assert!(!site.path.join(".new").exists() && !site.path.join(SECOND).exists(), "{step}");
        for subvolume in [&site.path.join(FIRST).join("data"), &live(&site)] {
            btrfs(&["subvolume", "delete"], subvolume);
        }
        fs::remove_dir_all(&site.path).expect("removed");
    }
}

#[test]
fn only_a_run_that_made_no_snapshot_is_gone_on_with() {
    let Some(site) = site() else { return };
    let write = |open: &Opened| fs::write(open.workspace().path().join("file"), "x").expect("written");
    assert!(!resumed_after(&site, |_| {}), "nothing came");
    assert!(resumed_after(&site, write));
    site.run(FIRST, "one");
    let open = site.open().expect("it opens");
    assert!(!resumed(&open), "all that is there is in a snapshot");
    open.snapshot(&name(SECOND)).expect("a snapshot");
    assert!(resumed_after(&site, write));
}
