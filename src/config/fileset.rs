//! The third of the three states: a valid fileset, in which every word is its own type and nothing can be wrong.

use super::diagnostic::Diagnostic;
use super::encryption;
use super::exec;
use super::keys::{self, Table};
use super::merged::Merged;
use super::overlap;
use super::rsync;
use super::settings::Judged;
use super::suggest::{nearest, one_of};
use super::zfs;
use super::zones::Zones;
use crate::fileset::hours::BlacklistHours;
use crate::fileset::key::KeySource;
use crate::fileset::name::{DatasetName, Group, Name, StorageName, Tag};
use crate::fileset::quantity::{Percent, Span};
use crate::fileset::retention::{Period, Retention};
use crate::fileset::schedule::{Schedule, ShiftedHours};
use crate::fileset::zone::Zone;
use crate::storage;
use crate::transport::Transport;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;

/// One thing that is backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fileset {
    pub name: Name,
    /// The drop-in that says so.
    pub file: PathBuf,
    pub group: Option<Group>,
    pub tags: Vec<Tag>,
    pub enabled: bool,
    pub storage: Storage,
    pub dataset: DatasetName,
    /// Where the dataset's key comes from; absent: it is not encrypted.
    pub encryption: Option<KeySource>,
    /// Without rules nothing is destroyed.
    pub retain: Retention,
    pub schedule: Schedule,
    pub blacklist_hours: BlacklistHours,
    /// The zone of all its times of day and calendar periods.
    pub timezone: Zone,
    /// The pause before another attempt; absent: a 24th of the schedule's period, at least a minute.
    pub retry: Option<Span>,
    /// The longest a transfer may take.
    pub timeout: Span,
    pub transport: Transport,
    pub guard: Guard,
}

impl Fileset {
    /// How far apart its runs are meant to be.
    pub fn period(&self) -> Duration {
        self.schedule.period().duration()
    }

    /// When its schedule starts it next, after `now`. `shifted`: the zone's hours that daylight saving moves.
    pub fn next_run(&self, now: OffsetDateTime, shifted: ShiftedHours) -> Option<OffsetDateTime> {
        self.schedule.next_start(now, &self.name, &self.blacklist_hours, &self.timezone, shifted)
    }
}

/// The storage of a fileset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    pub name: StorageName,
    pub settings: storage::Settings,
}

/// What must hold for a run to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// The largest share that a source may lose between two runs; absent: any.
    pub max_shrink: Option<Percent>,
    /// The least free share of the storage to start with; absent: any.
    pub min_free: Option<Percent>,
}

/// Where a fileset goes. Known even of a fileset with other faults, so that two on one dataset are both told.
pub type Place = (StorageName, DatasetName);

/// Judges one fileset: all of it, or nothing and why, and in both cases where it goes if that much is clear.
pub fn judge(
    name: &Name,
    merged: &Merged<'_>,
    host: &Judged,
    host_file: &Path,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> (Option<Fileset>, Option<Place>) {
    let storage = storage(merged, host, host_file, zones, faults);
    let dataset = match merged.find(&keys::DATASET) {
        Some(_) => merged.get(&keys::DATASET, zones, faults),
        None => Some(DatasetName::from(name)),
    };
    let place =
        storage.as_ref().zip(dataset.clone()).map(|(storage, dataset)| (storage.name.clone(), dataset));
    (valid(name, merged, host, storage, dataset, zones, faults), place)
}

fn valid(
    name: &Name,
    merged: &Merged<'_>,
    host: &Judged,
    storage: Option<Storage>,
    dataset: Option<DatasetName>,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> Option<Fileset> {
    let group = merged.get(&keys::GROUP, zones, faults);
    let tags = merged.get(&keys::TAGS, zones, faults);
    let enabled = merged.get(&keys::ENABLED, zones, faults);
    let retain = merged.get(&keys::RETAIN, zones, faults);
    let blacklist_hours = merged.get(&keys::BLACKLIST_HOURS, zones, faults);
    let timezone = match merged.find(&keys::TIMEZONE) {
        Some(_) => merged.get(&keys::TIMEZONE, zones, faults),
        None => Some(zones.local()),
    };
    let schedule = if merged.find(&keys::SCHEDULE).is_some() {
        merged.get(&keys::SCHEDULE, zones, faults)
    } else {
        let finest = retain.as_ref().and_then(Retention::finest);
        Some(Schedule::Every(finest.unwrap_or(Period::Day)))
    };
    if let (Some(schedule), Some(hours), Some(zone)) = (&schedule, &blacklist_hours, &timezone)
        && let Err(invalid) = schedule.check(hours, zone)
    {
        faults.push(match merged.find(&keys::SCHEDULE) {
            Some(_) => merged.blame(&keys::SCHEDULE, invalid.message),
            // The schedule came from `retain`, and is impossible because of the hours.
            None => merged.blame(&keys::BLACKLIST_HOURS, invalid.message),
        });
    }
    let encryption = match (&storage, &dataset) {
        (Some(storage), Some(dataset)) => {
            encryption::judge(merged, (name, group.as_ref()), storage, dataset, zones, faults)
        }
        _ => None,
    };
    let retry = merged.get(&keys::RETRY, zones, faults);
    let timeout = merged.get(&keys::TIMEOUT, zones, faults);
    let max_shrink = merged.get(&keys::MAX_SHRINK, zones, faults);
    let min_free = merged.get(&keys::MIN_FREE, zones, faults);
    let transport = if merged.own.tables.contains_key(&Table::Rsync) {
        rsync::judge(merged, zones, faults).map(Transport::Rsync)
    } else if merged.own.tables.contains_key(&Table::Zfs) {
        zfs::judge(merged, storage.as_ref().zip(dataset.as_ref()), zones, faults).map(Transport::Zfs)
    } else if merged.own.tables.contains_key(&Table::Exec) {
        exec::judge(merged, storage.as_ref(), host, zones, faults).map(Transport::Exec)
    } else {
        if !merged.own.has_strange_table {
            let message = "no transport: add an [rsync] table with what to back up, for example\n\
                           [rsync]\nhost = \"web1.acme.example\"\ninclude = [\"/etc\", \"/home\"]";
            faults.push(Diagnostic::file(&merged.own.document.path, message));
        }
        None
    };
    if let (Some(Transport::Rsync(settings)), Some(storage), Some(dataset)) = (&transport, &storage, &dataset)
        && let Some(message) = overlap::complaint(settings, &storage.settings, dataset)
    {
        faults.push(merged.blame(&keys::INCLUDE, message));
    }
    Some(Fileset {
        name: name.clone(),
        file: merged.own.document.path.clone(),
        group,
        tags: tags?,
        enabled: enabled?,
        storage: storage?,
        dataset: dataset?,
        encryption,
        retain: retain.unwrap_or_default(),
        schedule: schedule?,
        blacklist_hours: blacklist_hours?,
        timezone: timezone?,
        retry,
        timeout: timeout?,
        transport: transport?,
        guard: Guard { max_shrink: max_shrink?, min_free: min_free? },
    })
}

/// The storage that is named, or the only one there is.
fn storage(
    merged: &Merged<'_>,
    host: &Judged,
    host_file: &Path,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> Option<Storage> {
    if !host.fatal.is_empty() {
        // What storages there are is unknown.
        return None;
    }
    let all = || host.storages.keys().map(String::as_str);
    let name = match merged.find(&keys::STORAGE) {
        Some(_) => merged.get(&keys::STORAGE, zones, faults)?.to_string(),
        None if host.storages.len() == 1 => all().next()?.to_owned(),
        None if host.storages.is_empty() => {
            faults.push(no_storage(host_file));
            return None;
        }
        None => {
            let message = format!(
                "there are several storages: write storage = {}, here or in [defaults]",
                one_of(all())
            );
            faults.push(Diagnostic::file(&merged.own.document.path, message));
            return None;
        }
    };
    match host.storages.get(&name) {
        Some(Ok(settings)) => Some(Storage { name: name.parse().ok()?, settings: settings.clone() }),
        Some(Err(found)) => {
            faults.extend(found.clone());
            None
        }
        None => {
            let hint = match nearest(&name, all()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("add [storage.{name}] to {}", host_file.display()),
            };
            faults.push(merged.blame(&keys::STORAGE, format!("unknown storage {name:?}: {hint}")));
            if host.storages.is_empty() {
                faults.push(no_storage(host_file));
            }
            None
        }
    }
}

/// About planb.toml, so that it is said once, however many filesets miss it.
fn no_storage(host_file: &Path) -> Diagnostic {
    let message = "no storage is configured: say where backups are kept, for example\n\
                   [storage.main]\ntype = \"directory\"\npath = \"/srv/backups\"";
    Diagnostic::file(host_file, message)
}
