//! What `encryption` and `key` come to. They may be said of a storage, too, since that is where data rest.

use super::diagnostic::Diagnostic;
use super::fileset::Storage;
use super::keys::{self, Key};
use super::merged::Merged;
use super::settings::StorageType;
use super::value::Data;
use super::written::{Layer, Rank};
use super::zones::Zones;
use crate::fileset::key::{Filling, KeyRule, KeySource};
use crate::fileset::name::{DatasetName, Group, Name};
use crate::storage;

const ONLY_ZFS: &str = "only a zfs storage encrypts: put the `path` of others on an encrypted disk";

/// Where a fileset's key comes from. Absent where it has none, and where something is wrong: then `faults` has why.
pub fn judge(
    merged: &Merged<'_>,
    (fileset, group): (&Name, Option<&Group>),
    storage: &Storage,
    dataset: &DatasetName,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> Option<KeySource> {
    let encryption = match merged.find(&keys::ENCRYPTION) {
        Some(_) => merged.get(&keys::ENCRYPTION, zones, faults)?,
        None => false,
    };
    let rule = match merged.find(&keys::KEY) {
        Some((layer, _)) => {
            let rule = merged.get(&keys::KEY, zones, faults)?;
            if layer.rank == Rank::Shared && !rule.tells_filesets_apart() {
                // Told where it stands, and of each fileset that it costs.
                faults.extend(one_for_many(layer, &keys::KEY, zones));
                return None;
            }
            rule
        }
        None => KeyRule::Credential,
    };
    if !encryption {
        return None;
    }
    if !matches!(storage.settings, storage::Settings::Zfs { .. }) {
        let message =
            format!("{ONLY_ZFS}, and say encryption = false of what goes into \"{}\"", storage.name);
        faults.push(merged.blame(&keys::ENCRYPTION, message));
        return None;
    }
    let filled = rule.fill(Filling { fileset, group, dataset, storage: &storage.name });
    let source = filled.map_err(|invalid| faults.push(merged.blame(&keys::KEY, invalid.message))).ok();
    if let Some(KeySource::File(path)) = &source
        && path.starts_with(storage.settings.path())
    {
        let message =
            format!("the key would be below {}, in what it opens", storage.settings.path().display());
        faults.push(merged.blame(&keys::KEY, message));
    }
    source
}

/// What is wrong with what a storage says of it, whoever uses that storage.
pub fn check(layer: &Layer, kind: Option<StorageType>, zones: &Zones, faults: &mut Vec<Diagnostic>) {
    if let Some(written) = layer.get(&keys::STORAGE_ENCRYPTION) {
        match keys::STORAGE_ENCRYPTION.read(layer, &written.value, zones) {
            Ok(true) if !matches!(kind, Some(StorageType::Zfs) | None) => {
                faults.push(layer.document.cite(written.value.span.clone(), ONLY_ZFS));
            }
            Ok(_) => {}
            Err(found) => faults.extend(found),
        }
    }
    if let Some(written) = layer.get(&keys::STORAGE_KEY) {
        faults.extend(keys::STORAGE_KEY.read(layer, &written.value, zones).err().unwrap_or_default());
        faults.extend(one_for_many(layer, &keys::STORAGE_KEY, zones));
    }
}

/// The complaint of a layer that many filesets share, if the key it names would be the same for all of them.
pub fn one_for_many(layer: &Layer, key: &Key<KeyRule>, zones: &Zones) -> Option<Diagnostic> {
    let written = layer.get(key)?;
    let rule = key.read(layer, &written.value, zones).ok()?;
    if rule.tells_filesets_apart() {
        return None;
    }
    let hint = match &written.value.data {
        Data::Text { text, .. } => format!(": write \"{text}/{{fileset}}\""),
        _ => String::new(),
    };
    let message = format!("all filesets would have this one key, and each must have its own{hint}");
    Some(layer.document.cite(written.value.span.clone(), message))
}
