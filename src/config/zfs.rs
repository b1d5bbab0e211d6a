//! The `[zfs]` table, judged.

use super::diagnostic::Diagnostic;
use super::fileset::Storage;
use super::keys::{self, Table};
use super::login;
use super::merged::Merged;
use super::value::Data;
use super::written::Rank;
use super::zones::Zones;
use crate::fileset::name::DatasetName;
use crate::storage;
use crate::transport::ssh::login::Login;
use crate::transport::zfs::selection::{Exclude, Selected, Selection};
use crate::transport::zfs::settings::{Datasets, Settings};
use std::path::Path;

/// zfs(8): the longest name of a snapshot, with its dataset's.
const LONGEST: usize = 255;

/// `@LABEL-20260102T0304Z`, with the longest label.
const SNAPSHOT: usize = "@".len() + 63 + "-20260102T0304Z".len();

/// What a fileset's `[zfs]` table, with all it inherits, comes to.
pub fn judge(
    merged: &Merged<'_>,
    place: Option<(&Storage, &DatasetName)>,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> Option<Settings> {
    if merged.find(&keys::ZFS_HOST).is_none() {
        let message = "`host` is missing: name the host whose datasets are backed up, as in \
                       host = \"web1.acme.example\"; pools of this machine are reached over ssh too: host = \"localhost\"";
        faults.push(merged.at_table(Table::Zfs, message));
    }
    match (merged.find(&keys::DATASETS).is_some(), merged.find(&keys::DATASETS_FROM).is_some()) {
        (false, false) => {
            let message = "`datasets` is missing: name what is backed up, as in datasets = [\"rpool/data\"], or have another \
                           backup host name it, as in datasets-from = \"tag:offsite\"";
            faults.push(merged.at_table(Table::Zfs, message));
        }
        (true, true) => {
            let message = "either `datasets` or `datasets-from` says what is backed up: remove one";
            faults.push(merged.blame(&keys::DATASETS_FROM, message));
        }
        _ => {}
    }
    if let Some((storage, _)) = place
        && !matches!(storage.settings, storage::Settings::Zfs { .. })
    {
        let message = format!(
            "datasets of ZFS are received into a storage of the type \"zfs\", which `{}` is not: choose such a storage, or \
             back up the files with [rsync]",
            storage.name
        );
        faults.push(match merged.find(&keys::STORAGE) {
            Some(_) => merged.blame(&keys::STORAGE, message),
            None => merged.at_table(Table::Zfs, &message),
        });
    }
    let login = login::judge(merged, &login::OF_ZFS, zones, faults);
    let datasets = if merged.find(&keys::DATASETS_FROM).is_some() {
        tagged(merged, login.as_ref(), zones, faults)
    } else {
        named(merged, login.as_ref(), place, zones, faults)
    };
    let raw = merged.get(&keys::RAW, zones, faults);
    let compressed = merged.get(&keys::COMPRESSED, zones, faults);
    let large_block = merged.get(&keys::LARGE_BLOCK, zones, faults);
    let bwlimit = merged.get(&keys::ZFS_BWLIMIT, zones, faults);
    let source_keep = merged.get(&keys::SOURCE_KEEP, zones, faults);
    let sudo = merged.get(&keys::ZFS_SUDO, zones, faults);
    Some(Settings {
        login: login?,
        datasets: datasets?,
        raw: raw?,
        compressed: compressed?,
        large_block: large_block?,
        bwlimit: bwlimit?,
        source_keep: source_keep?,
        sudo: sudo?,
    })
}

/// What the table names itself.
fn named(
    merged: &Merged<'_>,
    login: Option<&Login>,
    place: Option<(&Storage, &DatasetName)>,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> Option<Datasets> {
    let datasets = merged.get(&keys::DATASETS, zones, faults);
    let recursive = merged.get(&keys::RECURSIVE, zones, faults);
    let exclude = merged.get(&keys::EXCLUDE_DATASETS, zones, faults);
    if let (Some(datasets), Some(recursive)) = (&datasets, recursive) {
        clashes(merged, datasets, recursive, faults);
        if let Some((storage, dataset)) = place {
            if let (Some(login), Some(exclude)) = (login, &exclude) {
                swallowed(merged, login, (datasets, recursive, exclude), &storage.settings, faults);
            }
            too_long(merged, datasets, &storage.settings.name_of(dataset), faults);
        }
    }
    if let (Some(false), Some([_, ..])) = (recursive, exclude.as_deref()) {
        let message = "there is nothing to leave out of datasets that come without those below them: write recursive = true, \
                       or name in `datasets` only what is wanted";
        faults.push(merged.blame(&keys::EXCLUDE_DATASETS, message));
    }
    if let (Some(datasets), Some(exclude)) = (&datasets, &exclude)
        && let Some(Selected { dataset, .. }) = datasets
            .iter()
            .find(|selected| exclude.iter().any(|exclude| exclude.matches(selected.dataset.as_str())))
    {
        let message = format!("{dataset} is one of `datasets` and left out again: decide");
        faults.push(merged.blame(&keys::EXCLUDE_DATASETS, message));
    }
    Some(Datasets::Named(Selection { selected: datasets?, recursive: recursive?, exclude: exclude? }))
}

/// What another planb names.
fn tagged(
    merged: &Merged<'_>,
    login: Option<&Login>,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> Option<Datasets> {
    let tag = merged.get(&keys::DATASETS_FROM, zones, faults);
    let exclude = merged.get(&keys::EXCLUDE_DATASETS, zones, faults);
    if merged.find(&keys::RECURSIVE).is_some_and(|(layer, _)| layer.rank != Rank::BuiltIn) {
        let message = "another planb's datasets always come with what is below them: remove `recursive`";
        faults.push(merged.blame(&keys::RECURSIVE, message));
    }
    let mut own_tags = Vec::new();
    let own_tags = merged.get(&keys::TAGS, zones, &mut own_tags).unwrap_or_default();
    if let Some(tag) = tag.as_ref().filter(|tag| own_tags.contains(tag))
        && login.is_some_and(is_here)
    {
        let message =
            format!("this fileset has the tag {tag} itself, and would be its own copy: give it another");
        faults.push(merged.blame(&keys::DATASETS_FROM, message));
    }
    Some(Datasets::Tagged { tag: tag?, exclude: exclude? })
}

/// Whether the source is this machine.
fn is_here(login: &Login) -> bool {
    matches!(login.host.as_str(), "localhost" | "127.0.0.1" | "::1")
}

/// Complains about a dataset, where it is written.
fn blame(merged: &Merged<'_>, number: usize, message: String) -> Diagnostic {
    if let Some((layer, written)) = merged.find(&keys::DATASETS)
        && let Data::List(items) = &written.value.data
        && let Some(item) = items.get(number)
    {
        return layer.document.cite(item.span.clone(), message);
    }
    merged.blame(&keys::DATASETS, message)
}

/// Datasets that would be received into the same place, or twice.
fn clashes(merged: &Merged<'_>, datasets: &[Selected], recursive: bool, faults: &mut Vec<Diagnostic>) {
    for (number, Selected { dataset, child }) in datasets.iter().enumerate() {
        let earlier = &datasets[..number];
        let below = |one: &Selected, other: &Selected| {
            let below = one.dataset.as_str().strip_prefix(other.dataset.as_str());
            below.is_some_and(|below| below.starts_with('/'))
        };
        let message = if earlier.iter().any(|other| other.dataset == *dataset) {
            format!("{dataset} is there twice")
        } else if let Some(other) = earlier.iter().find(|other| other.child == *child) {
            format!(
                "{dataset} and {} would both be called `{child}` here: call one otherwise, as in \"{dataset}:{child}2\"",
                other.dataset
            )
        } else if let Some(other) = datasets.iter().find(|other| recursive && below(&datasets[number], other))
        {
            format!(
                "{dataset} comes with {} already, since recursive = true: leave it out here",
                other.dataset
            )
        } else {
            continue;
        };
        faults.push(blame(merged, number, message));
    }
}

/// Datasets of this machine that hold what is received, or are it: each run would receive what the last one did.
fn swallowed(
    merged: &Merged<'_>,
    login: &Login,
    (datasets, recursive, exclude): (&[Selected], bool, &[Exclude]),
    storage: &storage::Settings,
    faults: &mut Vec<Diagnostic>,
) {
    let Some(parent) = storage.parent() else { return };
    if !is_here(login) || exclude.iter().any(|exclude| exclude.matches(parent.as_str())) {
        return;
    }
    for (number, Selected { dataset, .. }) in datasets.iter().enumerate() {
        let dataset_path = Path::new(dataset.as_str());
        if dataset_path.starts_with(parent.as_path())
            || recursive && parent.as_path().starts_with(dataset_path)
        {
            let message = format!(
                "{dataset} and {parent}, in which backups are kept, are one within the other on this machine: leave {parent} out \
                 with `exclude`"
            );
            faults.push(blame(merged, number, message));
        }
    }
}

/// Names that leave no room for those of snapshots.
fn too_long(merged: &Merged<'_>, datasets: &[Selected], container: &str, faults: &mut Vec<Diagnostic>) {
    for (number, Selected { child, .. }) in datasets.iter().enumerate() {
        let room = (LONGEST - SNAPSHOT).saturating_sub(container.len() + "/".len());
        if child.as_str().len() > room {
            let message = format!(
                "{container}/{child} is too long a name to have snapshots: call it otherwise, with at most {room} characters"
            );
            faults.push(blame(merged, number, message));
        }
    }
}
