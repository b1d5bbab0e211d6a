//! File systems of their own, which only root can make.

use crate::host::process::{Limits, Program};
use crate::host::signals::Stop;
use crate::storage::descent::tests::ci;
use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A file system in a file; unmounted when it is dropped.
pub struct Mounted(pub PathBuf);

impl Mounted {
    /// Small enough to fill. `None` where nobody may mount: only root may, and CI is expected to be.
    pub fn ext4(image: &Path, path: &Path) -> Option<Self> {
        // Without blocks kept for root, so that full is full for root too.
        Self::new(image, path, 8, &["mkfs.ext4", "-q", "-m0", "-N64"])
    }

    pub fn btrfs(image: &Path, path: &Path, mib: u64) -> Option<Self> {
        Self::new(image, path, mib, &["mkfs.btrfs", "-q"])
    }

    /// One in memory.
    pub fn memory(path: &Path, options: &str) -> Option<Self> {
        if !may_mount() {
            return None;
        }
        fs::create_dir(path).expect("a directory");
        tool(
            "mount",
            ["-t", "tmpfs", "-o", options, "none"].map(OsStr::new).into_iter().chain([path.as_os_str()]),
        );
        Some(Self(path.to_owned()))
    }

    fn new(image: &Path, path: &Path, mib: u64, make: &[&str]) -> Option<Self> {
        if !may_mount() {
            return None;
        }
        File::create(image).and_then(|file| file.set_len(mib << 20)).expect("an image");
        fs::create_dir(path).expect("a directory");
        tool(make[0], make[1..].iter().map(OsStr::new).chain([image.as_os_str()]));
        Some(Self::again(image, path))
    }

    /// What was made before.
    pub fn again(image: &Path, path: &Path) -> Self {
        tool("mount", ["-o".as_ref(), "loop".as_ref(), image.as_os_str(), path.as_os_str()]);
        Self(path.to_owned())
    }
}

fn may_mount() -> bool {
    if !geteuid().is_root() {
        assert_ne!(ci(), Some(true), "only root can mount a file system");
        eprintln!("skipped: only root can mount a file system");
    }
    geteuid().is_root()
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, so that a test that fails with a file open leaves no mount behind.
        tool("umount", ["-l".as_ref(), self.0.as_os_str()]);
    }
}

/// Runs one of the system's own tools, which has to succeed, and returns what it printed.
pub fn tool<'a>(program: &str, args: impl IntoIterator<Item = &'a OsStr>) -> String {
    let args: Vec<&OsStr> = args.into_iter().collect();
    let stop = Stop::new().expect("a socket pair");
    let limits = Limits { stop: &stop, deadline: None };
    let done =
        Program::find(program).expect("it is there").args(&args).capture(limits, 1 << 20).expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.ending.is_clean(), "{program} {args:?} {}: {said}", done.ending);
    String::from_utf8_lossy(&done.stdout).into_owned()
}
