//! What the disks' own troubles look like from here.

use super::*;
use crate::storage::health::{self, Finding, Severity};
use crate::storage::tests::mounted::Mounted;
use std::path::Path;

/// A block that nothing else has.
const BLOCK: [u8; 4096] = [0xa5; 4096];

fn found(path: &Path) -> Vec<Finding> {
    let storage = made(&Settings::Btrfs { path: path.to_owned() });
    let mut health = health::look(&[storage]).remove(0);
    assert!(health.space.is_some_and(|space| space.available > 0 && space.total > space.available));
    // Both ways to ask say the same.
    let asked =
        super::super::health::counted(&subvolume::device_stats(path).expect("asked").expect("we are root"));
    assert_eq!(super::super::health::judged(path, &asked).len(), health.findings.len(), "{health:?}");
    health.findings.sort_by(|one, other| one.what.cmp(&other.what));
    health.findings
}

#[test]
fn errors_that_were_counted_are_told() {
    let kept = tempfile::tempdir().expect("a directory");
    let (image, path) = (kept.path().join("image"), kept.path().join("btrfs"));
    let Some(mounted) = Mounted::btrfs(&image, &path, 128) else { return };
    fs::write(path.join("file"), BLOCK.repeat(64)).expect("written");
    assert_eq!(found(&path), []);
    tool("umount", [path.as_os_str()]);
    // The disk has other bytes than it was given.
    let mut bytes = fs::read(&image).expect("read");
    for block in bytes.chunks_mut(BLOCK.len()).filter(|block| **block == BLOCK) {
        block[0] = 0;
    }
    fs::write(&image, bytes).expect("written");
    std::mem::forget(mounted);
    let _mounted = Mounted::again(&image, &path);
    fs::read(path.join("file")).expect_err("it is not what was written");
    let said = found(&path);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].severity, Severity::Worn);
    assert!(said[0].what.contains("corruption_errs: btrfs scrub start"), "{said:?}");
}

#[test]
fn a_disk_that_is_missing_is_told() {
    let kept = tempfile::tempdir().expect("a directory");
    let path = kept.path().join("btrfs");
    fs::create_dir(&path).expect("a directory");
    if !Uid::effective().is_root() {
        return;
    }
    let disks = ["one", "two"].map(|name| {
        let image = kept.path().join(name);
        fs::File::create(&image).and_then(|file| file.set_len(128 << 20)).expect("an image");
        tool("losetup", ["-f".as_ref(), "--show".as_ref(), image.as_os_str()]).trim().to_owned()
    });
    let [one, two] = [0, 1].map(|at| OsStr::new(&disks[at]));
    tool("mkfs.btrfs", ["-q", "-m", "raid1", "-d", "raid1"].map(OsStr::new).into_iter().chain([one, two]));
    tool("btrfs", ["device".as_ref(), "scan".as_ref(), "--forget".as_ref(), two]);
    tool("losetup", ["-d".as_ref(), two]);
    tool("mount", ["-o".as_ref(), "degraded".as_ref(), one, path.as_os_str()]);
    let mounted = Mounted(path.clone());
    let said = found(&path);
    drop(mounted);
    tool("losetup", ["-d".as_ref(), one]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].what.contains(" is missing: see btrfs filesystem show"), "{said:?}");
}

#[test]
fn where_another_file_system_or_nothing_is_the_storage_is_broken() {
    let kept = tempfile::tempdir().expect("a directory");
    let look =
        |path: &Path| health::look(&[made(&Settings::Btrfs { path: path.to_owned() })]).remove(0).findings;
    let gone = look(&kept.path().join("nowhere"));
    assert!(gone[0].severity == Severity::Broken && gone[0].what.contains("is not there"), "{gone:?}");
    let Some(memory) = Mounted::memory(&kept.path().join("memory"), "size=1M") else { return };
    let other = look(&memory.0);
    assert!(
        other[0].severity == Severity::Broken && other[0].what.contains("is not on a btrfs"),
        "{other:?}"
    );
}
