//! Datasets that no fileset has: what was backed up once and is not any more.

use crate::config::Configuration;
use crate::fileset::name::{Name, StorageName};
use crate::host::paths::Paths;
use crate::storage::{self, Held, Storage};
use serde::Serialize;
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// One dataset, as `stale --json` shows it. Fields may be added, none renamed; what is not known is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub storage: String,
    pub dataset: String,
    /// Whose it was.
    pub fileset: Option<String>,
    pub snapshots: usize,
    /// When the newest snapshot was made.
    #[serde(with = "time::serde::rfc3339::option")]
    pub newest: Option<OffsetDateTime>,
    /// Bytes of all that is in it, where the storage knows.
    pub used_bytes: Option<u64>,
    /// What a person calls who wants to be rid of it.
    pub destroy: String,
}

/// The datasets of all storages that no fileset has, and the storages that could not tell.
pub fn of_all(
    paths: &Paths,
    configuration: &Configuration,
) -> (Vec<Entry>, Vec<(StorageName, storage::Error)>) {
    let (mut entries, mut troubles) = (Vec::new(), Vec::new());
    for (name, settings) in &configuration.settings.storages {
        let held = match Storage::new(settings, paths).datasets() {
            Ok(held) => held,
            Err(error) => {
                troubles.push((name.clone(), error));
                continue;
            }
        };
        let known = Known::of(name, configuration);
        entries.extend(held.into_iter().filter(|held| !known.has(held)).map(|held| Entry {
            storage: name.to_string(),
            dataset: held.name.to_string(),
            destroy: settings.destroying(&held.name, held.is_container),
            fileset: held.fileset,
            snapshots: held.snapshots,
            newest: held.newest,
            used_bytes: held.used,
        }));
    }
    (entries, troubles)
}

/// What in a storage belongs to filesets.
struct Known<'a> {
    datasets: BTreeSet<&'a str>,
    /// Filesets whose drop-in is wrong: what they have is what says that it is theirs.
    invalid: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn of(storage: &StorageName, configuration: &'a Configuration) -> Self {
        let here = configuration.filesets.iter().filter(|fileset| fileset.storage.name == *storage);
        let invalid = configuration.invalid.iter().filter_map(|invalid| invalid.name.as_ref());
        Self {
            datasets: here.map(|fileset| fileset.dataset.as_str()).collect(),
            invalid: invalid.map(Name::as_str).collect(),
        }
    }

    fn has(&self, held: &Held) -> bool {
        let name = held.name.as_str();
        self.datasets.contains(name)
            || self.invalid.contains(name)
            || held.fileset.as_deref().is_some_and(|fileset| self.invalid.contains(fileset))
    }
}
