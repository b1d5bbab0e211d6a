//! What is asked of btrfs by its own program: btrfs-subvolume(8), btrfs-property(8).
//!
//! Every path that is named here is absolute and leads through directories that are ours alone.

use crate::host::process::{self, Captured, Limits, Program};
use crate::host::signals::Stop;
use crate::storage::Error;
use crate::storage::descent::is_directory;
use nix::sys::stat::FileStat;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one call may take. A snapshot waits for what was written before it, on a disk that others use as well.
const PATIENCE: Duration = Duration::from_secs(3600);

/// How many subvolumes one call may name: far below what a command line may hold.
const AT_ONCE: usize = 1000;

/// The inode of a subvolume's top directory, and of nothing else: `BTRFS_FIRST_FREE_OBJECTID` of
/// `linux/btrfs_tree.h`.
const TOP: u64 = 256;

/// Whether that is the top directory of a subvolume. Only on a btrfs does the answer mean anything.
pub fn is_top(stat: &FileStat) -> bool {
    is_directory(stat) && stat.st_ino == TOP
}

pub fn create(path: &Path) -> Result<(), Error> {
    btrfs(&["subvolume", "create"], &[path])
}

/// Makes a read-only snapshot. What was written to the subvolume is in it; a power cut leaves all of it or nothing.
pub fn snapshot(of: &Path, at: &Path) -> Result<(), Error> {
    btrfs(&["subvolume", "snapshot", "-r"], &[of, at])
}

/// Deletes those that it can delete, in one call for all, and returns when that is on the disk. Their room comes free by
/// and by. What stays is there to be seen; the text is what btrfs said of it.
pub fn delete(paths: &[PathBuf]) -> Result<String, Error> {
    let mut said = String::new();
    for paths in paths.chunks(AT_ONCE) {
        let done = call(&["subvolume", "delete", "--commit-after"], paths)?;
        if !done.ending.is_clean() {
            said = complaint(&done);
        }
    }
    Ok(said)
}

/// Lets a snapshot be written to: whoever may not delete one may still empty it.
pub fn make_writable(path: &Path) -> Result<(), Error> {
    btrfs(&["property", "set", "-ts"], &[path, Path::new("ro"), Path::new("false")])
}

/// The subvolumes that somebody made inside of this one, as names in it. `None` where we may not ask that.
///
/// Reads `btrfs subvolume list -o PATH`, a line for each, with its path from the top of the file system:
///
/// ```text
/// ID 265 gen 14 top level 263 path backups/web1/data/var/lib/machines
/// ```
pub fn inside(path: &Path) -> Result<Option<Vec<String>>, Error> {
    let args = ["subvolume", "list", "-o"];
    let done = call(&args, &[path])?;
    if done.ending.is_clean() {
        let text = String::from_utf8_lossy(&done.stdout);
        let names = text.lines().filter_map(|line| Some(line.split_once(" path ")?.1));
        return Ok(Some(names.map(|name| below(path, name).to_owned()).collect()));
    }
    if is_refused(&done) { Ok(None) } else { Err(failed(&args, &done)) }
}

/// What `btrfs device stats` prints of the disks of a file system. `None` where we may not ask that.
pub fn device_stats(path: &Path) -> Result<Option<String>, Error> {
    let args = ["device", "stats"];
    let done = call(&args, &[path])?;
    if done.ending.is_clean() {
        return Ok(Some(String::from_utf8_lossy(&done.stdout).into_owned()));
    }
    if is_refused(&done) { Ok(None) } else { Err(failed(&args, &done)) }
}

fn is_refused(done: &Captured) -> bool {
    complaint(done).contains("Operation not permitted")
}

/// What of `name`, which is reckoned from elsewhere, is below `path`. Two names at its end tell where that is.
fn below<'n>(path: &Path, name: &'n str) -> &'n str {
    let end: PathBuf = path.iter().skip(path.iter().count().saturating_sub(2)).collect();
    name.split_once(&format!("{}/", end.display())).map_or(name, |(_, below)| below)
}

fn btrfs(args: &[&str], paths: &[&Path]) -> Result<(), Error> {
    let done = call(args, paths)?;
    if done.ending.is_clean() { Ok(()) } else { Err(failed(args, &done)) }
}

fn call<P: AsRef<OsStr>>(args: &[&str], paths: &[P]) -> Result<Captured, Error> {
    // Not interrupted: what it changes is then known to be changed.
    let stop = Stop::new().map_err(|source| process::Error::Start { program: "btrfs".into(), source })?;
    let limits = Limits { stop: &stop, deadline: Some(Instant::now() + PATIENCE) };
    Ok(Program::find("btrfs")?.args(args).args(paths).capture(limits, 1 << 20)?)
}

fn failed(args: &[&str], done: &Captured) -> Error {
    Error::Command {
        command: format!("btrfs {}", args.join(" ")),
        ending: done.ending,
        said: complaint(done),
    }
}

/// The first of its complaints, as a fragment.
fn complaint(done: &Captured) -> String {
    let text = String::from_utf8_lossy(&done.stderr);
    let first = |mark| text.lines().find_map(|line| line.strip_prefix(mark));
    match first("ERROR: ").or_else(|| first("WARNING: ")).unwrap_or_else(|| text.trim()) {
        "" => done.ending.to_string(),
        said => said.to_owned(),
    }
}
