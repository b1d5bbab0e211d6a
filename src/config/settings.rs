//! The valid form of planb.toml's own part: slots, log, storages.

use super::diagnostic::Diagnostic;
use super::encryption;
use super::keys;
use super::written::{Host, Layer, Named};
use super::zones::Zones;
use crate::fileset::name::{Group, StorageName};
use crate::storage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The host's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Transfers at the same time on this host. At least one.
    pub slots: u16,
    /// Transfers at the same time from one source host. At least one.
    pub slots_per_source: u16,
    /// Where events are logged to; absent: the journal under systemd, else stderr.
    pub log: Option<Log>,
    /// The storages that this version can use, by name.
    pub storages: BTreeMap<StorageName, storage::Settings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { slots: 10, slots_per_source: 1, log: None, storages: BTreeMap::new() }
    }
}

/// A log target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Log {
    Journal,
    Stderr,
    Syslog,
}

impl Log {
    pub const WORDS: [(&str, Self); 3] =
        [("journal", Self::Journal), ("stderr", Self::Stderr), ("syslog", Self::Syslog)];
}

/// What a `type` of a storage can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageType {
    Zfs,
    Btrfs,
    Directory,
}

impl StorageType {
    pub const WORDS: [(&str, Self); 3] =
        [("directory", Self::Directory), ("btrfs", Self::Btrfs), ("zfs", Self::Zfs)];
}

/// planb.toml, judged: the settings, and what is wrong with each part for those who use that part.
#[derive(Debug, Default)]
pub struct Judged {
    pub settings: Settings,
    /// Costs no fileset.
    pub own: Vec<Diagnostic>,
    /// Costs every fileset.
    pub fatal: Vec<Diagnostic>,
    /// All storages that are written, each with its settings or with what is wrong with it.
    pub storages: BTreeMap<String, Result<storage::Settings, Vec<Diagnostic>>>,
    /// What is wrong in a storage, a group or the defaults. Each costs those who use it, and is told even if nobody does.
    pub shared: Vec<Diagnostic>,
}

/// Judges what planb.toml says.
pub fn judge(host: &Host, zones: &Zones) -> Judged {
    let mut own = host.top.faults.clone();
    let mut number = |key, default| match host.top.get(key) {
        Some(written) => keys::Key::read(key, &host.top, &written.value, zones).unwrap_or_else(|found| {
            own.extend(found);
            default
        }),
        None => default,
    };
    let default = Settings::default();
    let slots = number(&keys::SLOTS, default.slots);
    let slots_per_source = number(&keys::SLOTS_PER_SOURCE, default.slots_per_source);
    let log = read(&host.top, &keys::LOG, zones, &mut own);

    let mut judged = Judged { fatal: host.fatal.clone(), ..Judged::default() };
    let (mut valid, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (name, written) in &host.storages {
        let mut result = storage(name, written, zones, &mut mistakes);
        if let Ok((_, settings)) = &result
            && let Some(mistake) = shared_place(name, written, settings, &valid)
        {
            mistakes.push(mistake.clone());
            result = Err(vec![mistake]);
        }
        judged.storages.insert(
            name.clone(),
            result.map(|(name, settings)| {
                valid.insert(name, settings.clone());
                settings
            }),
        );
    }
    for (name, group) in &host.groups {
        if let Err(invalid) = name.parse::<Group>() {
            own.push(group.layer.document.cite(group.name.clone(), invalid.message));
        }
    }
    judged.settings = Settings { slots, slots_per_source, log, storages: valid };
    judged.own = own;
    let shared = host.groups.values().map(|group| &group.layer).chain([&host.defaults]);
    judged.shared = shared.flat_map(|layer| all_faults(layer, zones)).chain(mistakes).collect();
    judged
}

/// The complaint about a storage that is in the place of another one, or around it: each would take the other's datasets
/// for its own.
fn shared_place(
    name: &str,
    Named { name: at, layer }: &Named,
    settings: &storage::Settings,
    others: &BTreeMap<StorageName, storage::Settings>,
) -> Option<Diagnostic> {
    others.iter().find_map(|(other_name, other)| {
        let parents = settings.parent().zip(other.parent());
        let parents = parents.and_then(|(one, other)| relation(one.as_path(), other.as_path()));
        let (word, written, relation) = match parents {
            Some(relation) => ("parent", layer.get(&keys::PARENT), relation),
            None => ("path", layer.get(&keys::PATH), relation(settings.path(), other.path())?),
        };
        let what = match relation {
            Relation::Same => format!("storage `{name}` has the {word} of storage `{other_name}`"),
            Relation::Below => {
                format!("the {word} of storage `{name}` is below that of storage `{other_name}`")
            }
            Relation::Above => {
                format!("the {word} of storage `{name}` is above that of storage `{other_name}`")
            }
        };
        let place = written.map_or(at.clone(), |written| written.value.span.clone());
        Some(layer.document.cite(place, format!("{what}: one place, one storage")))
    })
}

/// Of two places that are not apart.
enum Relation {
    Same,
    Below,
    Above,
}

fn relation(one: &Path, other: &Path) -> Option<Relation> {
    match (one.starts_with(other), other.starts_with(one)) {
        (true, true) => Some(Relation::Same),
        (true, false) => Some(Relation::Below),
        (false, true) => Some(Relation::Above),
        (false, false) => None,
    }
}

/// Those of every value, used or not.
fn all_faults(layer: &Layer, zones: &Zones) -> Vec<Diagnostic> {
    let values = layer.values.iter().filter_map(|(&(table, name), written)| {
        keys::find(table, name).map(|key| key.check(layer, &written.value, zones))
    });
    values
        .flatten()
        .chain(encryption::one_for_many(layer, &keys::KEY, zones))
        .chain(layer.faults.clone())
        .collect()
}

fn read<T>(layer: &Layer, key: &keys::Key<T>, zones: &Zones, faults: &mut Vec<Diagnostic>) -> Option<T> {
    let written = layer.get(key)?;
    key.read(layer, &written.value, zones).map_err(|found| faults.extend(found)).ok()
}

/// One `[storage.NAME]`. What is wrong with it goes to `mistakes`, too.
fn storage(
    name: &str,
    Named { name: at, layer }: &Named,
    zones: &Zones,
    mistakes: &mut Vec<Diagnostic>,
) -> Result<(StorageName, storage::Settings), Vec<Diagnostic>> {
    let mut faults = layer.faults.clone();
    let cite = |message: String| layer.document.cite(at.clone(), message);
    let name = name.parse::<StorageName>().map_err(|invalid| faults.push(cite(invalid.message))).ok();
    let path = read(layer, &keys::PATH, zones, &mut faults);
    let kind = read(layer, &keys::TYPE, zones, &mut faults);
    if layer.get(&keys::TYPE).is_none() {
        faults.push(cite("a storage needs a type: write type = \"directory\"".into()));
    }
    let parent = read(layer, &keys::PARENT, zones, &mut faults);
    if let Some(kind @ (StorageType::Directory | StorageType::Btrfs)) = kind {
        let word = if kind == StorageType::Btrfs { "btrfs" } else { "directory" };
        if layer.get(&keys::PATH).is_none() {
            faults.push(cite(format!("a {word} storage needs a path: write path = \"/srv/backups\"")));
        }
        if let Some(parent) = layer.get(&keys::PARENT) {
            let message = format!("`parent` is for zfs: a {word} storage has a `path`");
            faults.push(layer.document.cite(parent.key.clone(), message));
        }
    }
    if kind == Some(StorageType::Zfs) && layer.get(&keys::PARENT).is_none() {
        faults.push(cite("a zfs storage needs a parent: write parent = \"tank/BACKUP\"".into()));
    }
    encryption::check(layer, kind, zones, &mut faults);
    mistakes.extend(faults.clone());
    let settings = match (kind, path, parent) {
        (Some(StorageType::Directory), Some(path), _) => Some(storage::Settings::Directory { path }),
        (Some(StorageType::Btrfs), Some(path), _) => Some(storage::Settings::Btrfs { path }),
        (Some(StorageType::Zfs), path, Some(parent)) => {
            Some(storage::Settings::Zfs { path: path.unwrap_or_else(|| parent.usual_path()), parent })
        }
        _ => None,
    };
    match name.zip(settings) {
        Some(valid) if faults.is_empty() => Ok(valid),
        _ => Err(faults),
    }
}
