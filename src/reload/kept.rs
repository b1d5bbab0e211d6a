//! The schedules of filesets whose files became invalid.
//!
//! systemd forgets what the generator no longer writes. So the last good schedule is kept as a drop-in of our own, below
//! /run/systemd/system for systemd, and below /var/lib/planb for the time after a reboot: the generator, which runs
//! before /var is there, cannot know it, but the reload at the end of the boot can.

use super::plan::drop_in;
use crate::generator::Content;
use crate::host::paths::Paths;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where systemd has its generators write.
pub fn generator_directory() -> PathBuf {
    "/run/systemd/generator".into()
}

/// Where systemd reads units that a reboot forgets; before the generators' ones.
const UNITS: &str = "/run/systemd/system";

pub struct Kept {
    directory: PathBuf,
}

impl Kept {
    pub fn new(paths: &Paths) -> Self {
        Self { directory: paths.state().join("schedules") }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.conf"))
    }

    /// The filesets whose schedules are kept.
    pub fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().filter_map(Result::ok);
        entries
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".conf")?.to_owned()))
            .collect()
    }

    /// Keeps the schedules of these filesets and of no others. Returns whether systemd must look again.
    pub fn keep(&self, names: &BTreeSet<String>) -> io::Result<bool> {
        let mut changed = false;
        for name in self.names().difference(names) {
            // First there: what is left here alone would be believed after a reboot.
            match fs::remove_file(self.file(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let path = Path::new(UNITS).join(drop_in(name));
            changed |= fs::remove_file(&path).is_ok();
            if let Some(directory) = path.parent() {
                // Somebody else may have a drop-in there.
                let _ = fs::remove_dir(directory);
            }
        }
        for name in names {
            let generated = generator_directory().join(drop_in(name));
            if let Ok(text) = fs::read(&generated) {
                fs::create_dir_all(&self.directory)?;
                replace(&self.file(name), &text)?;
            }
            let Ok(text) = fs::read(self.file(name)) else { continue };
            let path = Path::new(UNITS).join(drop_in(name));
            if fs::read(&path).ok().as_ref() != Some(&text) {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                replace(&path, &text)?;
                changed = true;
            }
        }
        Ok(changed)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(&new, path)
}

/// All of ours that is in a directory of generated units: what the generator wrote.
pub fn generated(directory: &Path) -> BTreeMap<PathBuf, Content> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok) {
        let top = entry.file_name();
        let is_ours = top.to_str().is_some_and(|top| top.starts_with("planb"));
        let is_links = top == "timers.target.wants";
        if !is_ours && !is_links {
            continue;
        }
        for entry in fs::read_dir(entry.path()).into_iter().flatten().filter_map(Result::ok) {
            let path = Path::new(&top).join(entry.file_name());
            if is_links && entry.file_name().to_str().is_some_and(|name| name.starts_with("planb@")) {
                files.insert(path, Content::Link(crate::generator::TIMER));
            } else if is_ours && let Ok(text) = fs::read_to_string(entry.path()) {
                files.insert(path, Content::Text(text));
            }
        }
    }
    files
}
