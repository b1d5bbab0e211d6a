//! The `[exec]` table, judged.

use super::diagnostic::Diagnostic;
use super::fileset::Storage;
use super::keys::{self, Table};
use super::merged::Merged;
use super::settings::Judged;
use super::zones::Zones;
use crate::storage;
use crate::transport::exec::settings::{Settings, Snapshots};
use std::path::Path;

/// PlanB's own places, of which a transfer sees what its job takes and no more.
const OURS: [&str; 4] = ["/etc/planb", "/var/lib/planb", "/run/planb", "/run/planb-transfer"];

/// What a fileset's `[exec]` table comes to.
pub fn judge(
    merged: &Merged<'_>,
    storage: Option<&Storage>,
    host: &Judged,
    zones: &Zones,
    faults: &mut Vec<Diagnostic>,
) -> Option<Settings> {
    let command = merged.get(&keys::COMMAND, zones, faults);
    if merged.find(&keys::COMMAND).is_none() {
        let message = "`command` is missing: name the program and its arguments, as in \
                       command = [\"/usr/local/bin/my-transfer\", \"web1\"]";
        faults.push(merged.at_table(Table::Exec, message));
    }
    let extra_paths = merged.get(&keys::EXTRA_PATHS, zones, faults);
    for extra in extra_paths.iter().flatten() {
        if let Some(message) = complaint(&extra.path, host) {
            faults.push(merged.blame(&keys::EXTRA_PATHS, message));
        }
    }
    let snapshots = merged.get(&keys::SNAPSHOTS, zones, faults);
    if let Some(storage) = storage
        && snapshots == Some(Snapshots::Own)
        && !matches!(storage.settings, storage::Settings::Zfs { .. })
    {
        let (name, kind) = (&storage.name, storage.settings.kind());
        let message = format!(
            "a program cannot make snapshots in `{name}`, whose type is {kind:?}: there they are root's, and it sees its own files \
             alone: leave `snapshots` out, and the run makes them, or choose a storage of the type \"zfs\""
        );
        faults.push(merged.blame(&keys::SNAPSHOTS, message));
    }
    Some(Settings { command: command?, extra_paths: extra_paths?, snapshots: snapshots? })
}

/// What is wrong with showing this path, if it would open what the sandbox is there to close.
fn complaint(path: &Path, host: &Judged) -> Option<String> {
    let shown = path.display();
    let storages = host.storages.values().filter_map(|storage| storage.as_ref().ok());
    if let Some(storage) = storages.map(storage::Settings::path).find(|&storage| meet(path, storage)) {
        let storage = storage.display();
        return Some(format!(
            "{shown} would show other filesets' backups, which are in {storage}: the program has its workspace, \
             $PLANB_WORKSPACE, and sees no other part of a storage"
        ));
    }
    // Single files of the configuration, such as a password, are the administrator's to show.
    let is_ours = |ours: &Path| ours.starts_with(path) || path.starts_with(ours) && !ours.starts_with("/etc");
    OURS.iter().any(|ours| is_ours(Path::new(ours))).then(|| {
        format!("{shown} would show PlanB's own files, with the state of other filesets: name what is needed of it")
    })
}

fn meet(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
