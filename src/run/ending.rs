//! After the attempt: what is written down, who is told, what is cleared away.

use super::carry::Carrier;
use super::{Host, settle, tell};
use crate::config::Fileset;
use crate::fileset::name::Name;
use crate::fileset::reason::chain;
use crate::fileset::record::{Outcome, Record};
use crate::history::{self, Last, Notice};
use crate::hooks;
use crate::host::events;
use crate::host::paths::Paths;
use crate::host::signals::Stop;
use crate::keys::{Keys, exported};
use crate::storage::Storage;
use log::Level;
use std::error::Error;
use time::OffsetDateTime;
use time::macros::format_description;

/// Says what the history has to say. None of it stops a backup.
pub fn say(fileset: &Fileset, notices: &[Notice]) {
    for notice in notices {
        say_of(&fileset.name, notice);
    }
}

/// Says one thing that the history has to say of a fileset.
pub fn say_of(name: &Name, notice: &Notice) {
    let level = if notice.is_trouble() { Level::Error } else { Level::Info };
    let text = chain(notice as &dyn Error);
    if notice.is_trouble() {
        log::log!(level, MESSAGE_ID = events::HISTORY_TROUBLE; "{name}: {text}");
    } else {
        log::log!(level, "{name}: {text}");
    }
}

/// Writes down that the run began. The run before it gets its end here if it was killed, and its hooks are run.
pub fn begin(host: &Host<'_>, fileset: &Fileset, record: &Record) -> Option<Last> {
    let begun = history::begin(host.paths, record, host.clock.now());
    say(fileset, &begun.notices);
    if let (Some(killed), Some(last)) = (&begun.killed, &begun.before) {
        log::warn!(
            "{}: the run that began at {} was killed; this run goes on from there",
            fileset.name,
            minute(fileset, killed.started)
        );
        match host.carrier {
            Carrier::Here => tell_hooks(host.paths, last),
            Carrier::Unit(_) => settle::announce(host, last),
        }
    }
    begun.before
}

/// A moment as the fileset's clocks show it.
fn minute(fileset: &Fileset, at: OffsetDateTime) -> String {
    let local = fileset.timezone.show(at);
    local
        .format(format_description!("[year]-[month]-[day] [hour]:[minute]"))
        .unwrap_or_else(|_| local.to_string())
}

/// Writes down how the run ended.
pub fn end(host: &Host<'_>, fileset: &Fileset, before: Option<&Last>, record: &mut Record) -> Last {
    let now = host.clock.now();
    record.finished = Some(now);
    if record.result == Some(Outcome::Deferred) {
        // Once in a while is no trouble; for ever is.
        let waiting_since = before.map_or(record.started, Last::waiting_since);
        let period = fileset.period();
        if now - waiting_since > period * 2 {
            let why = record.error.take().unwrap_or_default();
            record.result = Some(Outcome::Failure);
            record.error = Some(format!(
                "deferred again, and no success since {}: {why}",
                minute(fileset, waiting_since)
            ));
        }
    }
    let ended = history::end(host.paths, record, now);
    say(fileset, &ended.notices);
    ended.last
}

/// After the first backup of a fileset: says so if this machine has the only copy of its key. Once: a warning that comes
/// with every run is read by nobody, and `planb key list` has it any time.
pub fn remind_of_key(paths: &Paths, fileset: &Fileset, before: Option<&Last>, record: &Record) {
    let is_first =
        record.result == Some(Outcome::Success) && before.is_none_or(|before| before.last_success.is_none());
    let Some(source) = fileset.encryption.as_ref().filter(|_| is_first) else { return };
    let name = &fileset.name;
    if Keys::new(paths, name, source).are_kept_here() && exported::read(paths, name).is_none() {
        log::warn!(
            "{name}: its key is on this machine alone, and backups without it are lost: print a recovery sheet and take it \
             away from here: planb key export {name}"
        );
    }
}

/// Runs the hooks. Whatever they do, the run has been what it was.
pub fn tell_hooks(paths: &Paths, last: &Last) {
    // A wish to stop was for the backup: that it was interrupted is just what the hooks are to hear.
    let Ok(undisturbed) = Stop::new() else { return };
    let name = &last.run.fileset;
    let size = last.last_success.as_ref().and_then(|success| success.totals).map(|totals| totals.bytes);
    let event = hooks::Event::new(last, size);
    let identity = hooks::Identity::fitting(paths.is_rooted());
    let run = &last.run;
    let mut said =
        |hook: &str, line: &str| tell::line(run, Level::Info, &[], format_args!("{name}: {hook}: {line}"));
    for report in hooks::run(&paths.hooks(), &event, &identity, hooks::TIMEOUT, &undisturbed, &mut said) {
        if !report.is_clean() {
            let result = [("PLANB_RESULT", run.result.unwrap_or(Outcome::Killed).as_str())];
            tell::event(run, Level::Warn, events::HOOK_FAILED, &result, format_args!("{name}: {report}"));
        }
    }
}

/// Frees the room of destroyed snapshots.
pub fn empty_trash(host: &Host<'_>, fileset: &Fileset, storage: &Storage) {
    match storage.empty_trash(&fileset.dataset, host.stop) {
        Ok(emptied) => {
            log::debug!("{}: {} files of destroyed snapshots are gone", fileset.name, emptied.removed);
        }
        Err(error) => {
            log::warn!("{}: failed to free the room of destroyed snapshots: {}", fileset.name, chain(&error));
        }
    }
}
