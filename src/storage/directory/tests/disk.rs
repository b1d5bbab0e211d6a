//! File systems of their own, which only root can make: full ones, and ones where none should be.

use super::*;
use crate::storage::directory::descent::tests::ci;
use crate::storage::directory::writeback::WriteBack;
use nix::poll::{PollTimeout, poll};
use nix::unistd::geteuid;
use std::time::{Duration, Instant};

/// A file system of its own, small enough to fill.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where nobody may mount: only root may, and CI is expected to be.
    fn new(image: &Path, path: &Path) -> Option<Self> {
        if !may_mount() {
            return None;
        }
        fs::File::create(image).and_then(|file| file.set_len(8 << 20)).expect("an image");
        fs::create_dir(path).expect("a directory");
        // Without blocks kept for root, so that full is full for root too.
        tool("mkfs.ext4", &["-q".as_ref(), "-m0".as_ref(), "-N64".as_ref(), image]);
        tool("mount", &["-o".as_ref(), "loop".as_ref(), image, path]);
        Some(Self(path.to_owned()))
    }

    /// One in memory.
    fn memory(path: &Path, options: &str) -> Option<Self> {
        if !may_mount() {
            return None;
        }
        fs::create_dir(path).expect("a directory");
        let tmpfs = ["-t", "tmpfs", "-o", options, "none"].map(Path::new);
        tool("mount", &[&tmpfs[..], &[path]].concat());
        Some(Self(path.to_owned()))
    }
}

fn may_mount() -> bool {
    if !geteuid().is_root() {
        assert_ne!(ci(), Some(true), "only root can mount a file system to fill");
        eprintln!("skipped: only root can mount a file system to fill");
    }
    geteuid().is_root()
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, so that a test that fails with a file open leaves no mount behind.
        tool("umount", &["-l".as_ref(), &self.0]);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the file system under test is made with the system's own tools"
)]
fn tool(program: &str, args: &[&Path]) {
    let status = std::process::Command::new(program).args(args).status().expect("it runs");
    assert!(status.success(), "{program} {args:?}: {status}");
}

#[test]
fn a_full_disk_can_still_be_measured_listed_and_freed() {
    let kept = tempfile::tempdir().expect("a directory");
    let path = kept.path().join("disk");
    let Some(_mounted) = Mounted::new(&kept.path().join("image"), &path) else { return };
    let place = Place::at(&path);
    let space = || place.storage.space(&dataset()).expect("measured");
    assert!(space().available > 1 << 20 && space().total >= space().available, "{:?}", space());
    place.run(FIRST, "one");
    place.run(SECOND, "two");

    // No inode left.
    let first = place.path.join(FIRST).join("data");
    let mut made = 0;
    while fs::File::create(first.join(made.to_string())).is_ok() {
        made += 1;
    }
    assert_eq!(space().available, 0);
    // Nor a block.
    let filled = fs::write(first.join("file"), vec![1; 16 << 20]).expect_err("it is full");
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);

    assert_eq!(place.listed(), [FIRST, SECOND]);
    let destroyed = place.storage.destroy(&dataset(), &[automatic(FIRST)]).expect("destroyed");
    assert_eq!(destroyed.destroyed, [automatic(FIRST)]);
    place.storage.empty_trash(&dataset(), &stop()).expect("emptied");
    assert!(space().available > 1 << 20, "{:?}", space());
    place.run(THIRD, "three");
    assert_eq!(place.listed(), [SECOND, THIRD]);
}

#[test]
fn what_could_not_be_written_meanwhile_is_not_forgotten() {
    let kept = tempfile::tempdir().expect("a directory");
    // A disk that ends before it says so: it takes 8 MiB, and there is room for 2.
    let (room, path) = (kept.path().join("room"), kept.path().join("disk"));
    let Some(_room) = Mounted::memory(&room, "size=2m") else { return };
    let Some(_mounted) = Mounted::new(&room.join("image"), &path) else { return };
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
    let place = Place::at(kept.path());
    place.run(FIRST, "one");
    fs::create_dir(place.path.join(".new")).expect("a directory");
    let Some(mounted) = Mounted::new(&image, &place.new_tree()) else { return };
    let error = place.open().expect_err("refused");
    assert!(matches!(error, Error::OtherFileSystem { .. }), "{error}");
    drop(mounted);
    fs::remove_dir(place.new_tree()).expect("removed");

    place.run(SECOND, "two");
    let within = place.path.join(FIRST).join("data/mounted");
    let mut mounted = Mounted::new(&image, &within).expect("it worked before");
    fs::write(within.join("precious"), "").expect("written");
    place.storage.destroy(&dataset(), &[automatic(FIRST)]).expect("destroyed");
    mounted.0 = place.path.join(".trash").join(FIRST).join("data/mounted");
    let error = place.storage.empty_trash(&dataset(), &stop()).expect_err("something is in the way");
    assert!(matches!(error, Error::NotRemoved { failures: 1, .. }), "{error}");
    assert!(mounted.0.join("precious").exists());
    drop(mounted);
    place.storage.empty_trash(&dataset(), &stop()).expect("emptied");
    assert_eq!(place.trash(), [""; 0]);
}
