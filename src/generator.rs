//! From the configuration to what systemd has to know of it: `planb-generator`, see systemd.generator(7).
//!
//! The units that PlanB ships hold all that is constant; only what varies is generated, as drop-ins and links. Which
//! files those are is a pure function of the configuration ([`files`]); [`write`](write()) puts them into the one directory
//! that systemd gave. It runs early in every boot, before /var is mounted and with nobody to wait for: nothing in this
//! room reads a file, the clock or the environment, or starts a process.

mod escape;
mod sandbox;
mod write;

pub use write::write;

use crate::config::{Configuration, Fileset};
use crate::fileset::quantity::Span;
use crate::fileset::schedule::ShiftedHours;
use crate::host::threads;
use crate::storage;
use crate::transport::Transport;
use escape::{quoted, specifiers};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

/// What every timer of ours is an instance of.
pub const TIMER: &str = "/usr/lib/systemd/system/planb@.timer";

/// How long a transfer's unit may live past the fileset's `timeout`, by which the transfer ends itself.
const TRANSFER_GRACE: u64 = 5 * 60;

/// Runs of filesets with no longer `timeout` than this are bounded by planb@.service itself.
const USUAL_TIMEOUT: Span = Span::from_secs(24 * 3600);

/// How long a run may take beside the transfer: a day for a slot, and half of one to open, snapshot and prune.
const RUN_GRACE: u64 = 36 * 3600;

/// One file of the generator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    /// A symbolic link and its target.
    Link(&'static str),
}

/// All files, each with its path below the generator's directory. Filesets that are invalid or disabled have none.
///
/// Of each fileset the link that makes its timer start comes last, for [`write`](write()) to keep it so.
pub fn files(configuration: &Configuration) -> Vec<(String, Content)> {
    let mut files = Vec::new();
    let storages: Vec<&Path> =
        configuration.settings.storages.values().map(storage::Settings::path).collect();
    if !storages.is_empty() {
        // It sorts before those of the filesets, whose datasets are shown again below what is hidden here.
        let path = "planb-transfer@.service.d/40-planb-storages.conf".to_owned();
        files.push((path, Content::Text(hidden(&storages))));
    }
    files.extend(threads::share(&configuration.filesets, of).into_iter().flatten());
    files
}

/// The files of these filesets.
fn of(filesets: &[Fileset]) -> Vec<(String, Content)> {
    let mut files = Vec::with_capacity(filesets.len() * 3);
    let mut zones = HashMap::new();
    for fileset in filesets.iter().filter(|fileset| fileset.enabled) {
        let name = &fileset.name;
        let zone = &fileset.timezone;
        let shifted = *zones.entry(zone.name()).or_insert_with(|| ShiftedHours::of(zone));
        let mut add =
            |unit: String, text| files.push((format!("{unit}.d/50-planb.conf"), Content::Text(text)));
        add(format!("planb@{name}.timer"), timer(fileset, shifted));
        add(format!("planb-transfer@{name}.service"), transfer(fileset));
        if fileset.timeout > USUAL_TIMEOUT {
            add(format!("planb@{name}.service"), run(fileset));
        }
        files.push((format!("timers.target.wants/planb@{name}.timer"), Content::Link(TIMER)));
    }
    files
}

fn timer(fileset: &Fileset, shifted: ShiftedHours) -> String {
    let Fileset { name, blacklist_hours, timezone, .. } = fileset;
    let file = specifiers(&fileset.file.to_string_lossy());
    let mut starts = String::new();
    for calendar in fileset.schedule.start_times(name, blacklist_hours, shifted) {
        line(&mut starts, "OnCalendar", &specifiers(&calendar.on_calendar(timezone)));
    }
    format!(
        "\
[Unit]
SourcePath={file}

[Timer]
OnCalendar=
{starts}"
    )
}

fn run(fileset: &Fileset) -> String {
    let limit = fileset.timeout.secs().saturating_add(RUN_GRACE);
    format!(
        "\
[Service]
RuntimeMaxSec={limit}s
"
    )
}

fn transfer(fileset: &Fileset) -> String {
    let limit = fileset.timeout.secs().saturating_add(TRANSFER_GRACE);
    let zone = &fileset.timezone;
    let workspace = match &fileset.transport {
        // It sees nothing of the storage: what it sends into a pipe is received by the run.
        Transport::Zfs(_) => String::new(),
        Transport::Rsync(_) | Transport::Exec(_) => {
            let dataset = quoted(&fileset.storage.settings.reach(&fileset.dataset).to_string_lossy());
            format!("BindPaths={dataset}\nNoExecPaths={dataset}\n")
        }
    };
    let own = sandbox::own(&fileset.transport);
    format!(
        "\
[Service]
Environment=TZ={zone}
TimeoutStartSec={limit}s
{workspace}{own}"
    )
}

/// For all transfers, whatever their fileset: an empty directory where a storage is.
fn hidden(storages: &[&Path]) -> String {
    let mut text = "[Service]\n".to_owned();
    for storage in storages {
        // A storage's path has no colon, which would have to be told from the one before the options.
        line(&mut text, "TemporaryFileSystem", &quoted(&format!("{}:ro", storage.display())));
    }
    text
}

fn line(text: &mut String, key: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{key}={value}");
}
