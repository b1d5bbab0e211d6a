//! The valid form of planb.toml's own part: slots, log, storages.

use super::diagnostic::Diagnostic;
use super::encryption;
use super::keys;
use super::value::Data;
use super::written::{Host, Layer, Named};
use super::zones::Zones;
use crate::fileset::name::{Group, StorageName};
use crate::storage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    let mut paths: BTreeMap<PathBuf, &str> = BTreeMap::new();
    let (mut valid, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (name, written) in &host.storages {
        let mut result = storage(name, written, zones, &mut mistakes);
        if let Ok((_, settings)) = &result
            && let Some(other) = paths.insert(settings.path().to_owned(), name)
        {
            let message =
                format!("storage `{name}` has the path of storage `{other}`: one place, one storage");
            let place =
                written.layer.get(&keys::PATH).map_or(written.name.clone(), |at| at.value.span.clone());
            let mistake = written.layer.document.cite(place, message);
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

/// One `[storage.NAME]`. What is wrong with it goes to `mistakes`; a type that this version does not know is none as
/// long as nobody uses it.
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
    match kind {
        Some(StorageType::Directory) => {
            if layer.get(&keys::PATH).is_none() {
                faults.push(cite("a directory storage needs a path: write path = \"/srv/backups\"".into()));
            }
            if let Some(parent) = layer.get(&keys::PARENT) {
                let message = "`parent` is for zfs: a directory storage has a `path`";
                faults.push(layer.document.cite(parent.key.clone(), message));
            }
        }
        Some(StorageType::Zfs | StorageType::Btrfs) | None => {}
    }
    encryption::check(layer, kind, zones, &mut faults);
    mistakes.extend(faults.clone());
    if let Some(StorageType::Zfs | StorageType::Btrfs) = kind
        && let Some(written) = layer.get(&keys::TYPE)
        && let Data::Text { text, .. } = &written.value.data
    {
        let message = format!("storage type {text:?} is not supported by this version: use \"directory\"");
        faults.push(layer.document.cite(written.value.span.clone(), message));
    }
    match (name, path) {
        (Some(name), Some(path)) if faults.is_empty() => Ok((name, storage::Settings::Directory { path })),
        _ => Err(faults),
    }
}
