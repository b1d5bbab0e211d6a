//! After a run's process is gone, however it went: whatever it left open is closed, its record gets its true end, the
//! hooks are told, and another attempt is seen to.
//!
//! systemd calls this after every run (`ExecStopPost=`), the orderly ones too. So what must happen after each run and
//! must not be lost with its process happens here and nowhere else.

use super::announce::{self, Ended};
use super::carry::{Carrier, job, pipes, signal};
use super::{Host, carry, ending, live, retry, tell};
use crate::config::Fileset;
use crate::fileset::name::Name;
use crate::fileset::reason::chain;
use crate::fileset::record::Outcome;
use crate::history::{self, Last, last};
use crate::host::{events, systemd};
use crate::storage::Storage;
use std::fs;
use time::format_description::well_known::Rfc3339;

/// How the run's process ended, as systemd tells it: systemd.exec(5), `$SERVICE_RESULT`, `$EXIT_CODE`, `$EXIT_STATUS`.
#[derive(Debug, Clone, Default)]
pub struct End {
    pub result: String,
    pub code: String,
    pub status: String,
}

impl End {
    /// What became of a run that has no end of its own.
    fn verdict(&self) -> (Outcome, String) {
        let by = || signal(&self.status);
        match self.result.as_str() {
            "oom-kill" => {
                (Outcome::Killed, "it used up its memory and was killed: add memory, or lower `slots`".into())
            }
            "timeout" => (Outcome::Killed, "systemd's patience with it was over, and it was killed".into()),
            "watchdog" => (Outcome::Killed, "it hung and was killed".into()),
            _ if self.code == "killed" || self.code == "dumped" => {
                (Outcome::Killed, format!("it was killed by {}", by()))
            }
            "" => (Outcome::Killed, history::KILLED.into()),
            result => (
                Outcome::Failure,
                format!("planb itself failed ({result}, {}): see the journal", self.status),
            ),
        }
    }
}

/// Settles the run of that id. `fileset` is absent where its configuration is wrong by now.
pub fn settle(host: &Host<'_>, name: &Name, fileset: Option<&Fileset>, id: &str, end: &End) {
    let orderly = end.code == "exited" || end.code.is_empty() && end.result == "success";
    if let Err(why) = carry::end(host.paths, name, !orderly) {
        log::error!("{name}: {why}");
    }
    carry::relay_rest(host.paths, name, fileset, id);
    clear(host, name, fileset);
    let last = match last::read(host.paths, name) {
        Ok(Some(last)) if last.run.id == id => last,
        // The run never began: it was refused, and another one of the fileset may be under way.
        Ok(_) => return,
        Err(error) => return log::error!("{name}: {}", chain(&error)),
    };
    let last = close(host, name, &last, end).unwrap_or(last);
    announce(host, &last);
    try_again(host, fileset, &last);
    if last.run.result != Some(Outcome::Success) {
        // Something was said, and this process is as good as gone.
        systemd::sync_journal();
    }
}

/// Takes away what only a living run needs.
fn clear(host: &Host<'_>, name: &Name, fileset: Option<&Fileset>) {
    let paths = host.paths;
    job::take_back(paths, name);
    let _ = pipes::remove(&carry::pipes_of(paths, name));
    live::clear(paths, name);
    let _ = fs::remove_dir_all(paths.runtime_dir("scratch").join(name));
    let Some(fileset) = fileset else { return };
    let storage = Storage::new(&fileset.storage.settings, paths);
    if let Err(error) = storage.close(&fileset.dataset) {
        log::error!("{name}: failed to close the dataset: {}", chain(&error));
    }
    // By itself, and beside whatever comes next: it can take longer than the backup did.
    let unit = format!("planb-trash@{name}.service");
    if storage.has_trash(&fileset.dataset).unwrap_or(false)
        && let Err(error) = systemd::start(&[unit])
    {
        log::warn!("{name}: the room of destroyed snapshots is not freed: {error}");
    }
}

/// Gives an end to a run whose process could not.
pub fn close(host: &Host<'_>, name: &Name, last: &Last, end: &End) -> Option<Last> {
    if !last.is_open() {
        return None;
    }
    let (outcome, why) = end.verdict();
    let closed = history::close_killed(host.paths, name, host.clock.now(), outcome, &why)?;
    for notice in &closed.notices {
        ending::say_of(name, notice);
    }
    tell::end(&closed.last.run);
    Some(closed.last)
}

/// Leaves word of the run for the hooks' unit, which systemd starts when the run's unit has ended.
pub fn announce(host: &Host<'_>, last: &Last) {
    let Carrier::Unit(account) = host.carrier else { return };
    let name = &last.run.fileset;
    if let Err(error) = announce::put(host.paths, account, &Ended { last: last.clone(), log: host.log }) {
        log::error!("{name}: hooks do not hear of this run: {error}");
    }
}

/// Sets the timer of another attempt where there is to be one.
pub fn try_again(host: &Host<'_>, fileset: Option<&Fileset>, last: &Last) {
    let name = &last.run.fileset;
    let due = fileset.and_then(|fileset| retry::due(fileset, &last.run, host.clock.now()));
    let (Some(at), Some(fileset)) = (due, fileset) else { return retry::cancel(host.paths, name) };
    let shown = fileset.timezone.show(at).format(&Rfc3339).unwrap_or_default();
    match retry::set(host.paths, name, at) {
        Ok(()) => {
            let text = format_args!("{name}: next attempt at {shown}");
            tell::event(&last.run, log::Level::Info, events::RETRY_SCHEDULED, &[], text);
        }
        Err(error) => log::error!("{name}: no attempt before the next scheduled one: {}", chain(&error)),
    }
}
