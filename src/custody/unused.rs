//! Keys that no fileset has. Some are left from a mistake, and some are all that still opens what was backed up once.

use super::Charge;
use crate::config::Configuration;
use crate::fileset::key::{KeySource, PENDING, PREVIOUS};
use crate::fileset::name::Name;
use crate::fileset::reason::chain;
use crate::host::paths::Paths;
use crate::host::signals::Stop;
use crate::keys::{Keys, LONGEST};
use crate::storage::key::Fit;
use crate::storage::{Settings, Storage};
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A key of no fileset.
#[derive(Debug)]
pub struct Unused {
    path: PathBuf,
    /// The ZFS file systems that it opens all the same.
    opens: Vec<String>,
    /// Why nobody knows what it opens.
    untried: Option<String>,
}

impl Unused {
    /// One that opens something is there for that.
    pub const fn is_wrong(&self) -> bool {
        self.opens.is_empty()
    }
}

impl fmt::Display for Unused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is the key of no fileset", self.path.display())?;
        match &self.untried {
            _ if !self.opens.is_empty() => {
                write!(f, ", and opens {}: keep it for as long as that is kept", self.opens.join(", "))
            }
            Some(why) => write!(f, ", and nobody knows what it opens: {why}"),
            None => f.write_str(", and opens nothing that is here"),
        }
    }
}

/// Credentials called as ours are, and files of a key's size beside the files of keys. `charges`: every fileset that is
/// encrypted. One whose configuration is wrong may have any key.
pub fn unused(
    paths: &Paths,
    configuration: &Configuration,
    charges: &[Charge<'_>],
    stop: &Stop,
) -> Vec<Unused> {
    let unknown: BTreeSet<&Name> =
        configuration.invalid.iter().filter_map(|invalid| invalid.name.as_ref()).collect();
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
    for charge in charges {
        known.extend(charge.keys.paths());
        if let Some(KeySource::File(path)) = &charge.fileset.encryption {
            directories.extend(path.parent().map(Path::to_owned));
        }
    }
    let credentials = files_in(&paths.credentials()).into_iter().filter(|path| {
        Keys::fileset_of_credential(&file_name(path)).is_some_and(|fileset| !unknown.contains(&fileset))
    });
    let files = directories.iter().flat_map(|directory| files_in(directory)).filter(|path| {
        let name = file_name(path);
        let stem = name.trim_end_matches(PENDING).trim_end_matches(PREVIOUS);
        let is_hidden = name.starts_with('.');
        let may_be_anybodys = unknown.iter().any(|fileset| stem.contains(fileset.as_str()));
        let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
        !is_hidden && !may_be_anybodys && (size == 32 || (64..=LONGEST as u64).contains(&size))
    });
    let found: BTreeSet<PathBuf> = credentials.chain(files).filter(|path| !known.contains(path)).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let locks = Locks::of(paths, configuration, charges);
    found.into_iter().map(|path| locks.try_all(paths, path, stop)).collect()
}

/// The datasets that no known key is for.
struct Locks {
    storages: Vec<(String, Storage, Vec<crate::storage::Held>)>,
    trouble: Option<String>,
}

impl Locks {
    fn of(paths: &Paths, configuration: &Configuration, charges: &[Charge<'_>]) -> Self {
        let mut locks = Self { storages: Vec::new(), trouble: None };
        for settings in configuration.settings.storages.values() {
            let Settings::Zfs { parent, .. } = settings else { continue };
            let storage = Storage::new(settings, paths);
            let has_key = |name: &str| charges.iter().any(|charge| charge.filesystem() == name);
            match storage.datasets() {
                Ok(mut held) => {
                    held.retain(|held| !has_key(&parent.child(&held.name)));
                    locks.storages.push((parent.to_string(), storage, held));
                }
                Err(error) => drop(locks.trouble.get_or_insert(chain(&error))),
            }
        }
        locks
    }

    /// Tries the key on those that its name fits.
    fn try_all(&self, paths: &Paths, path: PathBuf, stop: &Stop) -> Unused {
        let (mut opens, mut untried) = (Vec::new(), self.trouble.clone());
        let name = file_name(&path);
        let of_credential =
            Keys::fileset_of_credential(&name).filter(|_| path.starts_with(paths.credentials()));
        for (parent, storage, held) in &self.storages {
            for held in held {
                let Some(fileset) = held.fileset.as_ref().and_then(|fileset| fileset.parse::<Name>().ok())
                else {
                    continue;
                };
                let source = match &of_credential {
                    Some(of) if *of == fileset => KeySource::Credential,
                    None if name.contains(fileset.as_str()) => KeySource::File(path.clone()),
                    _ => continue,
                };
                let found = Keys::new(paths, &fileset, &source).candidates(stop);
                let fits = found.map(|found| {
                    found.iter().any(|one| matches!(storage.key_fits(&held.name, &one.key), Ok(Fit::Fits)))
                });
                match fits {
                    Ok(true) => opens.push(format!("{parent}/{}", held.name)),
                    Ok(false) => {}
                    Err(error) => drop(untried.get_or_insert(chain(&error))),
                }
            }
        }
        Unused { path, opens, untried }
    }
}

/// The regular files in a directory; none where it cannot be read.
fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
