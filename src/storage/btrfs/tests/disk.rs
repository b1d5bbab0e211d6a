//! What goes wrong with disks.

use super::*;
use crate::storage::tests::mounted::Mounted;
use std::io::{ErrorKind, Write};

/// Fills the file system to its last block.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).expect("created");
    let bytes = vec![7; 1 << 20];
    for size in [1 << 20, 4096] {
        let full = loop {
            if let Err(error) = file.write_all(&bytes[..size]).and_then(|()| file.sync_data()) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }
}

#[test]
fn a_full_file_system_can_still_be_measured_listed_and_freed() {
    let Some(site) = site() else { return };
    assert!(site.space().available > 64 << 20 && site.space().total >= site.space().available);
    let open = site.open().expect("it opens");
    fs::write(live(&site).join("big"), vec![7; 96 << 20]).expect("written");
    open.snapshot(&name(FIRST)).expect("a snapshot");
    fs::remove_file(live(&site).join("big")).expect("removed");
    site.run(SECOND, "two");

    fill(&live(&site).join("filling"));
    assert!(site.space().available < 1 << 20, "{:?}", site.space());
    assert_eq!(site.listed(), [FIRST, SECOND]);
    // What a transfer could not write fails the transfer. A snapshot of what it could finds room.
    site.open().expect("it opens").snapshot(&name(THIRD)).expect("a snapshot");
    let destroyed = site.destroy(&[FIRST]).expect("destroyed");
    assert_eq!(destroyed.destroyed, [automatic(FIRST)], "{:?}", destroyed.skipped);
    // Both come by themselves, in half a minute.
    btrfs(&["subvolume", "sync"], &site.path);
    btrfs(&["filesystem", "sync"], &site.path);
    assert!(site.space().available > 64 << 20, "{:?}", site.space());
    site.run("planb-20260105T0304Z", "four");
    assert_eq!(site.listed(), [SECOND, THIRD, "planb-20260105T0304Z"]);
    assert_eq!(site.content(SECOND), "two");
}

#[test]
fn a_file_system_that_became_read_only_is_named_and_listed() {
    let Some(site) = site() else { return };
    for snapshot in [FIRST, SECOND] {
        site.run(snapshot, snapshot);
    }
    let open = site.open().expect("it opens");
    fs::write(live(&site).join("file"), "three").expect("written");
    let root = site.settings.path();
    let remount = |mode| tool("mount", ["-o".as_ref(), OsStr::new(mode), root.as_os_str()]);
    remount("remount,ro");
    let error = open.snapshot(&name(THIRD)).expect_err("it cannot be made").to_string();
    assert!(error.contains("Read-only file system"), "{error}");
    let error = site.open().expect_err("refused").to_string();
    let said = "is mounted read-only: see in `dmesg` why, and mount it writable again";
    assert!(error.ends_with(said), "{error}");
    let destroyed = site.destroy(&[FIRST]).expect("as far as it goes");
    assert!(destroyed.destroyed.is_empty() && destroyed.skipped[0].1.contains("Read-only file system"));
    assert_eq!(site.listed(), [FIRST, SECOND]);

    remount("remount,rw");
    let open = site.open().expect("it opens");
    assert!(resumed(&open));
    open.snapshot(&name(THIRD)).expect("a snapshot");
    assert_eq!([FIRST, SECOND, THIRD].map(|snapshot| site.content(snapshot)), [FIRST, SECOND, "three"]);
}

#[test]
fn what_cannot_be_a_live_subvolume_is_refused() {
    let Some(site) = site() else { return };
    site.run(FIRST, "one");
    let image = tempfile::tempdir().expect("a directory");
    btrfs(&["subvolume", "delete"], &live(&site));
    fs::create_dir(live(&site)).expect("a directory");
    let refused = || site.open().expect_err("refused");
    assert!(matches!(refused(), Error::NotASubvolume { .. }), "{}", refused());
    fs::remove_dir(live(&site)).expect("removed");
    fs::write(live(&site), "").expect("written");
    assert!(matches!(refused(), Error::NotASubvolume { .. }), "{}", refused());
    fs::remove_file(live(&site)).expect("removed");
    std::os::unix::fs::symlink(FIRST, live(&site)).expect("a link");
    assert!(matches!(refused(), Error::NotASubvolume { .. }), "{}", refused());
    fs::remove_file(live(&site)).expect("removed");
    // Even another btrfs: its snapshots would have to be there as well.
    let mounted = Mounted::btrfs(&image.path().join("image"), &live(&site), 128).expect("it worked before");
    assert!(matches!(refused(), Error::MountPoint { .. }), "{}", refused());
    drop(mounted);
    fs::remove_dir(live(&site)).expect("removed");
    site.run(SECOND, "two");
    assert_eq!([FIRST, SECOND].map(|snapshot| site.content(snapshot)), ["one", "two"]);
}

#[test]
fn where_another_file_system_is_nothing_is_made() {
    let kept = tempfile::tempdir().expect("a directory");
    let path = kept.path().join("ext4");
    let Some(_mounted) = Mounted::ext4(&kept.path().join("image"), &path) else { return };
    let site = Site::of(Settings::Btrfs { path: path.clone() });
    let said = format!(
        "{} is not on a btrfs: mount the one that belongs there, or give the storage type = \"directory\"",
        path.display()
    );
    assert_eq!(site.open().expect_err("refused").to_string(), said);
    assert!(!site.path.exists());
}

#[test]
fn a_snapshot_outlives_a_power_cut_that_comes_as_soon_as_it_is_told() {
    let Some(mut site) = site() else { return };
    site.run(FIRST, "one");
    let open = site.open().expect("it opens");
    fs::write(live(&site).join("file"), "two").expect("written");
    open.snapshot(&name(SECOND)).expect("a snapshot");
    site.power_cut();
    assert_eq!(site.listed(), [FIRST, SECOND]);
    assert_eq!([FIRST, SECOND].map(|snapshot| site.content(snapshot)), ["one", "two"]);
    site.run(THIRD, "three");
    assert_eq!(site.destroy(&[FIRST]).expect("destroyed").destroyed.len(), 1);
    site.power_cut();
    assert_eq!(site.listed(), [SECOND, THIRD]);
}
