//! What a reboot leaves undone: runs that a power cut killed are closed and told of, and attempts that were planned are
//! planned again.

use crate::config::Configuration;
use crate::fileset::name::Name;
use crate::history::last;
use crate::host::systemd;
use crate::run::settle::{self, End};
use crate::run::{Host, claim, retry};
use crate::storage::Storage;
use std::collections::BTreeSet;

/// Brings every fileset that no run is busy with to where its last run should have left it.
pub fn recover(host: &Host<'_>, configuration: &Configuration) -> Result<(), systemd::Error> {
    let units = systemd::list("planb@*.service")?;
    let is_busy = |state: &str| !matches!(state, "inactive" | "failed");
    let busy: BTreeSet<String> =
        units.into_iter().filter(|(_, state)| is_busy(state)).map(|(unit, _)| unit).collect();
    let mut hooks = Vec::new();
    for fileset in &configuration.filesets {
        let name = &fileset.name;
        if busy.contains(&format!("planb@{name}.service")) {
            continue;
        }
        let Ok(Some(known)) = last::read(host.paths, name) else { continue };
        let mut known = known;
        if known.is_open() {
            let Some(closed) =
                close(host, name, &Storage::new(&fileset.storage.settings, host.paths), fileset)
            else {
                continue;
            };
            known = closed;
            hooks.push(format!("planb-hooks@{name}.service"));
        }
        let now = host.clock.now();
        if retry::pending(host.paths, name, now).is_none() && retry::due(fileset, &known.run, now).is_some() {
            settle::try_again(host, Some(fileset), &known);
        }
    }
    systemd::start(&hooks)
}

/// Closes a run that was killed together with all that could have seen it.
fn close(
    host: &Host<'_>,
    name: &Name,
    storage: &Storage,
    fileset: &crate::config::Fileset,
) -> Option<crate::history::Last> {
    // Who has the lock closes it: a run of this very moment, or one that is no unit.
    let _claim = claim::take(host.paths, name).ok()?;
    let open = last::read(host.paths, name).ok()??;
    if let Err(error) = storage.close(&fileset.dataset) {
        log::error!("{name}: failed to close the dataset: {}", crate::fileset::reason::chain(&error));
    }
    let closed = settle::close(host, name, &open, &End::default())?;
    settle::announce(host, &closed);
    Some(closed)
}
