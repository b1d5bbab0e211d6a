//! Runs that ended and that hooks have still to hear of: `ended/NAME/`, a file each, named so that they sort by time.
//!
//! The last run's record alone would not do. The next run may begin, or even end, before the hooks of this one are
//! through, and a failure that no hook hears of is one that nobody hears of. Root writes here and cleans up; the hooks'
//! unit, which is not root, reads, and remembers in a directory of its own how far it came.

use super::carry::job::replace;
use crate::config::Log;
use crate::fileset::name::Name;
use crate::history::Last;
use crate::host::account::Account;
use crate::host::lock;
use crate::host::paths::Paths;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// How many runs are kept for hooks that are slow or could not be started.
const KEPT: usize = 64;

/// A run that ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ended {
    pub last: Last,
    pub log: Option<Log>,
}

fn directory(paths: &Paths, fileset: &Name) -> PathBuf {
    paths.runtime_dir("ended").join(fileset)
}

/// Writes down that a run ended, for the hooks' unit of this user.
pub fn put(paths: &Paths, account: Account, ended: &Ended) -> io::Result<()> {
    let directory = directory(paths, &ended.last.run.fileset);
    lock::directory(&directory)?;
    let run = &ended.last.run;
    let finished = run.finished.unwrap_or(run.started).unix_timestamp_nanos().max(0);
    let known = names(&directory)?;
    // Once is enough: whoever closes a run may be started twice.
    if !known.iter().any(|name| name.ends_with(&run.id)) {
        let path = directory.join(format!("{finished:020}-{}", run.id));
        replace(&path, &serde_json::to_vec(ended)?, account.gid)?;
    }
    for old in known.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(directory.join(old));
    }
    Ok(())
}

/// The runs that ended after `heard` (the name of the last one heard of), the oldest first, each with its name.
pub fn waiting(paths: &Paths, fileset: &Name, heard: &str) -> io::Result<Vec<(String, Ended)>> {
    let directory = directory(paths, fileset);
    let mut waiting = Vec::new();
    for name in names(&directory)?.into_iter().filter(|name| name.as_str() > heard) {
        match fs::read(directory.join(&name)) {
            Ok(bytes) => waiting.push((name, serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(waiting)
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        // A file that is being written ends in `.new`.
        names.extend(entry?.file_name().into_string().ok().filter(|name| !name.contains('.')));
    }
    names.sort();
    Ok(names)
}
