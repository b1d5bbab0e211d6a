//! File systems of their own, which only root can make: full ones, and ones where none should be.

use super::*;
use crate::storage::directory::writeback::WriteBack;
use crate::storage::tests::mounted::Mounted;
use nix::poll::{PollTimeout, poll};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

#[test]
fn a_full_disk_can_still_be_measured_listed_and_freed() {
    let kept = tempfile::tempdir().expect("a directory");
    let path = kept.path().join("disk");
    let Some(_mounted) = Mounted::ext4(&kept.path().join("image"), &path) else { return };
    let site = Site::at(&path);
    assert!(
        site.space().available > 1 << 20 && site.space().total >= site.space().available,
        "{:?}",
        site.space()
    );
    site.run(FIRST, "one");
    site.run(SECOND, "two");

    // No inode left.
    let first = site.path.join(FIRST).join("data");
    let mut made = 0;
    while fs::File::create(first.join(made.to_string())).is_ok() {
        made += 1;
    }
    assert_eq!(site.space().available, 0);
    // Nor a block.
    let filled = fs::write(first.join("file"), vec![1; 16 << 20]).expect_err("it is full");
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);

    assert_eq!(site.listed(), [FIRST, SECOND]);
    let destroyed = site.destroy(&[FIRST]).expect("destroyed");
    assert_eq!(destroyed.destroyed, [automatic(FIRST)]);
    site.empty_trash().expect("emptied");
    assert!(site.space().available > 1 << 20, "{:?}", site.space());
    site.run(THIRD, "three");
    assert_eq!(site.listed(), [SECOND, THIRD]);
}

#[test]
fn what_could_not_be_written_meanwhile_is_not_forgotten() {
    let kept = tempfile::tempdir().expect("a directory");
    // A disk that ends before it says so: it takes 8 MiB, and there is room for 2.
    let (room, path) = (kept.path().join("room"), kept.path().join("disk"));
    let Some(_room) = Mounted::memory(&room, "size=2m") else { return };
    let Some(_mounted) = Mounted::ext4(&room.join("image"), &path) else { return };
    let data = OwnedFd::from(fs::File::open(&path).expect("a directory"));
    let write_back = WriteBack::start(data, 0).expect("a thread");
    fs::write(path.join("file"), vec![1; 5 << 20]).expect("it is in memory");
    let until = Instant::now() + Duration::from_secs(60);
    while !write_back.has_failed() && Instant::now() < until {
        let _ = poll(&mut [], PollTimeout::from(10_u8));
    }
    // Whoever asks now would hear of nothing: an error is told once.
    write_back.end().expect_err("it was told here");
}

#[test]
fn a_file_system_mounted_inside_a_dataset_is_refused_and_never_entered() {
    let kept = tempfile::tempdir().expect("a directory");
    let image = kept.path().join("image");
    let site = Site::at(kept.path());
    site.run(FIRST, "one");
    fs::create_dir(site.path.join(".new")).expect("a directory");
    let Some(mounted) = Mounted::ext4(&image, &new_tree(&site)) else { return };
    let error = site.open().expect_err("refused");
    assert!(matches!(error, Error::OtherFileSystem { .. }), "{error}");
    drop(mounted);
    fs::remove_dir(new_tree(&site)).expect("removed");

    site.run(SECOND, "two");
    let within = site.path.join(FIRST).join("data/mounted");
    let mut mounted = Mounted::ext4(&image, &within).expect("it worked before");
    fs::write(within.join("precious"), "").expect("written");
    site.destroy(&[FIRST]).expect("destroyed");
    mounted.0 = site.path.join(".trash").join(FIRST).join("data/mounted");
    let error = site.empty_trash().expect_err("something is in the way");
    assert!(matches!(error, Error::NotRemoved { failures: 1, .. }), "{error}");
    assert!(mounted.0.join("precious").exists());
    drop(mounted);
    site.empty_trash().expect("emptied");
    assert_eq!(site.trash(), [""; 0]);
}
