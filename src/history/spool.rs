//! Records that the database did not take, a file per run, until it does.

use super::database::History;
use super::file;
use super::last::{self, read_json};
use super::notice::Notice;
use crate::fileset::name::Name;
use crate::fileset::record::Record;
use crate::host::paths::Paths;
use std::fs;
use std::io;
use std::path::PathBuf;
use time::OffsetDateTime;

/// The file of a run. Its id comes from the environment: it may become a name in this directory and nothing else.
fn path(paths: &Paths, run: &Record) -> PathBuf {
    let id: String =
        run.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(64).collect();
    paths.spool().join(format!("{id}.json"))
}

/// Whether the record of that run waits.
pub fn has(paths: &Paths, run: &Record) -> bool {
    path(paths, run).exists()
}

/// Keeps a record until the database takes it.
pub fn put(paths: &Paths, run: &Record) -> io::Result<PathBuf> {
    let path = path(paths, run);
    let mut json = serde_json::to_vec(run)?;
    json.push(b'\n');
    file::replace(&path, &json)?;
    Ok(path)
}

/// The files that wait.
fn files(paths: &Paths) -> Vec<PathBuf> {
    // No directory: nothing waits. One that cannot be read is not ours to read.
    let Ok(entries) = fs::read_dir(paths.spool()) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort_unstable();
    files
}

/// Tells of records that wait.
pub fn waiting(paths: &Paths) -> Option<Notice> {
    let count = files(paths).len();
    (count > 0).then(|| Notice::Waiting { count, spool: paths.spool() })
}

/// Gives the records of `old` that still wait to `new`.
pub fn rename(paths: &Paths, old: &Name, new: &Name) -> Result<(), (PathBuf, io::Error)> {
    for file in files(paths) {
        match read_json::<Record>(&file) {
            Ok(Some(record)) if record.fileset == *old => {
                put(paths, &Record { fileset: new.clone(), ..record }).map_err(|error| (file, error))?;
            }
            // One that tells nothing is moved aside by who takes it in.
            _ => {}
        }
    }
    Ok(())
}

/// Puts what waits into the history. Two processes may do so at once: a record goes in twice as the same row.
pub fn take_in(paths: &Paths, history: &History, now: OffsetDateTime) -> Vec<Notice> {
    let mut notices = Vec::new();
    let (mut taken, mut records) = (Vec::new(), Vec::new());
    for file in files(paths) {
        match read_json::<Record>(&file) {
            Ok(Some(record)) if record.result.is_some() => {
                taken.push(file);
                records.push(record);
            }
            // Another process was faster.
            Ok(_) => {}
            Err(error) => notices.push(last::keep_aside(&file, now, error)),
        }
    }
    if records.is_empty() {
        return notices;
    }
    match history.insert(&records) {
        Ok(()) if history.is_in_place() => {
            for file in taken {
                // One that stays goes in again as the same row.
                let _ = fs::remove_file(file);
            }
            notices.push(Notice::TookIn { count: records.len() });
        }
        Ok(()) => {}
        Err(error) => notices.push(Notice::StillWaiting { spool: paths.spool(), error }),
    }
    notices
}
