//! File systems of a test's own. Only root can make them.

use crate::sshd::run;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system, gone with the value.
pub struct Mount(PathBuf);

impl Mount {
    /// In memory.
    pub fn tmpfs(at: &Path, options: &str) -> Self {
        fs::create_dir_all(at).expect("a directory");
        Self::new(at, ["-t", "tmpfs", "-o", options, "none"].map(OsStr::new))
    }

    pub fn btrfs(image: &Path, at: &Path, mib: u64) -> Self {
        File::create(image).and_then(|file| file.set_len(mib << 20)).expect("an image");
        run("mkfs.btrfs", ["-q".as_ref(), image.as_os_str()]);
        Self::new(at, ["-o".as_ref(), "loop".as_ref(), image.as_os_str()])
    }

    fn new<const N: usize>(at: &Path, args: [&OsStr; N]) -> Self {
        run("mount", args.into_iter().chain([at.as_os_str()]));
        Self(at.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
