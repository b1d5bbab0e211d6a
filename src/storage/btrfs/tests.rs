mod disk;
mod health;
mod leftovers;

use super::*;
use crate::host::process::STARTED;
use crate::storage::tests::mounted::tool;
use crate::storage::tests::*;
use crate::storage::{Leftover, Open as Opened, Settings};
use nix::unistd::{Gid, Uid};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn site() -> Option<Site> {
    Site::btrfs(256)
}

fn live(site: &Site) -> PathBuf {
    site.path.join("data")
}

fn btrfs(args: &[&str], path: &Path) -> String {
    tool("btrfs", args.iter().map(OsStr::new).chain([path.as_os_str()]))
}

fn started(during: impl FnOnce()) -> usize {
    let before = STARTED.get();
    during();
    STARTED.get() - before
}

#[test]
fn a_snapshot_is_read_only_and_shares_what_did_not_change() {
    let Some(site) = site() else { return };
    let big = vec![7; 16 << 20];
    let open = site.open().expect("it opens");
    fs::write(live(&site).join("big"), &big).expect("written");
    open.snapshot(&name(FIRST)).expect("a snapshot");
    for snapshot in [SECOND, THIRD] {
        site.run(snapshot, snapshot);
    }
    let error = fs::write(site.path.join(FIRST).join("data/file"), "").expect_err("it is history");
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    // Bytes of all, bytes that only this one has, bytes that it shares.
    let du = btrfs(&["filesystem", "du", "-s", "--raw"], &site.path.join(SECOND));
    let numbers: Vec<u64> =
        du.lines().last().expect("a line").split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(numbers[0] >= 16 << 20 && numbers[1] < 1 << 20, "{du}");
}

#[test]
fn two_hundred_snapshots_go_in_one_call() {
    let Some(site) = site() else { return };
    let names: Vec<String> =
        (0..200).map(|n| format!("planb-202601{:02}T{:02}00Z", 1 + n / 24, n % 24)).collect();
    for name in &names {
        site.run(name, name);
    }
    site.run("planb-20260201T0000Z", "the newest");
    assert_eq!(started(|| assert_eq!(site.listed().len(), 201)), 0);
    let doomed: Vec<&str> = names.iter().map(String::as_str).collect();
    let calls = started(|| {
        let result = site.destroy(&doomed).expect("destroyed");
        assert_eq!((result.destroyed.len(), result.skipped.len()), (200, 0));
    });
    assert_eq!(calls, 1);
    assert_eq!(site.listed(), ["planb-20260201T0000Z"]);
    assert_eq!(site.content("planb-20260201T0000Z"), "the newest");
}

#[test]
fn what_btrfs_will_not_delete_is_skipped_and_named() {
    let Some(site) = site() else { return };
    for snapshot in [FIRST, SECOND, THIRD] {
        site.run(snapshot, snapshot);
    }
    // The one that is mounted where nothing else is said.
    btrfs(&["subvolume", "set-default"], &site.path.join(FIRST).join("data"));
    let result = site.destroy(&[FIRST, SECOND]).expect("as far as it goes");
    assert_eq!(result.destroyed, [automatic(SECOND)]);
    let (skipped, why) = &result.skipped[0];
    assert_eq!(*skipped, automatic(FIRST));
    assert!(why.contains("not deleting default subvolume"), "{why}");
    assert_eq!(site.listed(), [FIRST, THIRD]);
    assert_eq!(site.content(FIRST), FIRST);
}

#[test]
fn history_that_was_trees_goes_as_trees_do() {
    let Some(site) = site() else { return };
    site.run(SECOND, "two");
    fs::create_dir_all(site.path.join(FIRST).join("data/sub")).expect("directories");
    fs::write(site.path.join(FIRST).join("data/sub/file"), "one").expect("written");
    assert_eq!(site.listed(), [FIRST, SECOND]);
    let result = site.destroy(&[FIRST]).expect("destroyed");
    assert_eq!((result.destroyed.len(), site.trash()), (1, vec![FIRST.to_owned()]));
    assert!(site.storage.has_trash(&dataset()).expect("it looks"));
    assert_eq!(site.empty_trash().expect("emptied").removed, 4);
    assert_eq!((site.trash(), site.listed()), (vec![], vec![SECOND.to_owned()]));
}

#[test]
fn a_subvolume_that_is_in_the_trash_is_emptied_even_where_btrfs_would_not_delete_it() {
    let Some(site) = site() else { return };
    for snapshot in [FIRST, SECOND] {
        site.run(snapshot, snapshot);
    }
    // As an ordinary user's destroying leaves it.
    fs::rename(site.path.join(FIRST), site.path.join(".trash").join(FIRST)).expect("renamed");
    btrfs(&["subvolume", "set-default"], &site.path.join(".trash").join(FIRST).join("data"));
    let error = site.empty_trash().expect_err("it can be emptied, and not removed").to_string();
    assert!(error.starts_with("failed to remove "), "{error}");
    btrfs(&["subvolume", "set-default", "5"], &site.path);
    site.empty_trash().expect("emptied");
    assert_eq!((site.trash(), site.listed()), (vec![], vec![SECOND.to_owned()]));
}

#[test]
fn subvolumes_inside_are_no_success_without_their_files() {
    let Some(site) = site() else { return };
    site.run(FIRST, "one");
    let inside = live(&site).join("var/lib/machines");
    fs::create_dir_all(inside.parent().expect("a parent")).expect("directories");
    btrfs(&["subvolume", "create"], &inside);
    let said = format!(
        "{} is a subvolume or a file system of its own: a snapshot would have an empty directory in its place; \
         remove it there (btrfs subvolume delete)",
        inside.display()
    );
    assert_eq!(site.open().expect_err("refused").to_string(), said);
    btrfs(&["subvolume", "create"], &live(&site).join("another"));
    let error = site.open().expect_err("refused").to_string();
    assert!(error.contains(" (and so are 1 more in there): "), "{error}");
    btrfs(&["subvolume", "delete"], &live(&site).join("another"));
    btrfs(&["subvolume", "delete"], &inside);

    // Also one that comes during the transfer.
    let open = site.open().expect("it opens");
    btrfs(&["subvolume", "create"], &inside);
    assert_eq!(open.snapshot(&name(SECOND)).expect_err("refused").to_string(), said);
    assert_eq!(site.listed(), [FIRST]);
    btrfs(&["subvolume", "delete"], &inside);
    site.run(SECOND, "two");
}

#[test]
fn who_fills_it_has_the_live_files_and_nothing_else() {
    let Some(site) = site() else { return };
    let somebody = Account { uid: Uid::from_raw(4242), gid: Gid::from_raw(4242) };
    let theirs = || made(&site.settings).filled_by(somebody);
    let owners = |path: &Path| {
        let stat = fs::symlink_metadata(path).expect("it is there");
        (stat.uid(), stat.gid())
    };
    let open = theirs().open(&dataset(), &fileset(), None, &stop()).expect("it opens");
    assert_eq!((owners(&live(&site)), owners(&site.path)), ((4242, 4242), (0, 0)));
    fs::write(live(&site).join("file"), "").expect("written");
    std::os::unix::fs::chown(live(&site).join("file"), Some(4242), Some(4242)).expect("given");
    open.snapshot(&name(FIRST)).expect("a snapshot");
    let modes = [&site.path, &site.path.join(FIRST)].map(|path| {
        let stat = fs::metadata(path).expect("it is there");
        (stat.uid(), stat.permissions().mode() & 0o777)
    });
    assert_eq!(modes, [(0, 0o700); 2]);

    // Another time somebody else fills it: they can go on with all that is there.
    fs::create_dir(live(&site).join("sub")).expect("a directory");
    std::os::unix::fs::symlink("/etc/hostname", live(&site).join("sub/link")).expect("a link");
    let others = |account: (u32, u32)| {
        ["", "file", "sub", "sub/link"].map(|name| owners(&live(&site).join(name)) == account)
    };
    drop(site.open().expect("it opens"));
    assert_eq!(others((0, 0)), [true; 4]);
    let outside = owners(Path::new("/etc/hostname"));
    let stopped = stop();
    stopped.wish();
    let error = theirs().open(&dataset(), &fileset(), None, &stopped).expect_err("stopped half way");
    assert!(matches!(error, Error::Stopped), "{error}");
    drop(theirs().open(&dataset(), &fileset(), None, &stop()).expect("it opens"));
    assert_eq!((others((4242, 4242)), owners(Path::new("/etc/hostname"))), ([true; 4], outside));
    assert_eq!(owners(&site.path.join(FIRST).join("data/file")), (4242, 4242));
}

fn resumed_after(site: &Site, what: impl FnOnce(&Opened)) -> bool {
    what(&site.open().expect("it opens"));
    matches!(site.open().expect("it opens").leftover(), Leftover::Resumed)
}
