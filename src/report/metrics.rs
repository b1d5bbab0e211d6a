//! Figures of all filesets as OpenMetrics text, <https://openmetrics.io>, that is also valid in the older text format of
//! Prometheus: gauges only, units in their names, and a last line that the older one takes for a comment.

use crate::config::Settings;
use crate::fileset::record::Outcome;
use crate::status::sum::Sum;
use crate::status::{Entry, KeyState, Level, State, Status, StorageStatus};
use std::fmt::{Display, Write};
use time::OffsetDateTime;

/// All of them, for that moment.
pub fn text(all: &[Status], storages: &[StorageStatus], settings: &Settings, now: OffsetDateTime) -> String {
    let mut text = Text::default();
    let sum = Sum::of(all, now);
    text.family("planb_info", "", "The version of PlanB that wrote this.");
    text.sample("planb_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family("planb_slots", "", "Transfers that may go on at the same time on this host.");
    text.sample("planb_slots", &[], settings.slots);
    text.family("planb_filesets", "", "Filesets by what they are doing.");
    for state in State::ALL {
        let count = all.iter().filter(|status| status.entry.state == state).count();
        text.sample("planb_filesets", &[("state", state.as_str())], count);
    }
    text.family("planb_filesets_failed", "", "Enabled filesets whose last run came to nothing.");
    text.sample("planb_filesets_failed", &[], sum.failed);
    text.family(
        "planb_filesets_overdue",
        "",
        "Enabled filesets whose newest snapshot is too old for their schedule.",
    );
    text.sample("planb_filesets_overdue", &[], sum.overdue);
    text.each(all, "planb_fileset_info", "", "Where a fileset comes from and goes to.", |entry| {
        let name = |value: &Option<String>| value.clone().unwrap_or_default();
        Some((
            vec![
                ("group", name(&entry.group)),
                ("storage", name(&entry.storage)),
                ("transport", entry.transport.unwrap_or_default().to_owned()),
            ],
            1,
        ))
    });
    text.family(
        "planb_fileset_problem_level",
        "",
        "0 all is well, 1 warning, 2 critical, 3 it cannot be told.",
    );
    for status in all {
        text.sample(
            "planb_fileset_problem_level",
            &[("fileset", &status.entry.name)],
            number_of(status.level()),
        );
    }
    text.family(
        "planb_fileset_key_present",
        "",
        "Whether the key of what is encrypted is where it belongs. Absent where that cannot be seen.",
    );
    for status in all {
        let present = match status.entry.key {
            Some(KeyState::Present) => 1,
            Some(KeyState::Missing) => 0,
            Some(KeyState::Unknown) | None => continue,
        };
        text.sample("planb_fileset_key_present", &[("fileset", &status.entry.name)], present);
    }
    text.storages(storages);
    text.family(
        "planb_fileset_last_result",
        "",
        "What became of the last run that ended: 1 for the result that it had.",
    );
    for status in all {
        for outcome in Outcome::ALL.into_iter().filter(|_| status.entry.last_result.is_some()) {
            let labels = [("fileset", status.entry.name.as_str()), ("result", outcome.as_str())];
            text.sample(
                "planb_fileset_last_result",
                &labels,
                u8::from(status.entry.last_result == Some(outcome)),
            );
        }
    }
    for (name, unit, help, value) in FIGURES {
        text.each(all, name, unit, help, |entry| value(entry).map(|value| (Vec::new(), value)));
    }
    text.0.push_str("# EOF\n");
    text.0
}

/// One figure of each fileset that has it: its name, its unit, what it is, and how it is found.
type Figure = (&'static str, &'static str, &'static str, fn(&Entry) -> Option<u64>);

const FIGURES: [Figure; 12] = [
    ("planb_fileset_enabled", "", "Whether it is backed up at all.", |e| e.enabled.map(u64::from)),
    ("planb_fileset_running", "", "Whether a run transfers now.", |e| {
        Some(u64::from(e.state == State::Running))
    }),
    ("planb_fileset_snapshots", "", "Snapshots that are there.", |e| e.snapshots.map(|count| count as u64)),
    ("planb_fileset_newest_snapshot_timestamp_seconds", "seconds", "The time of the newest snapshot.", |e| {
        epoch(e.newest_snapshot)
    }),
    (
        "planb_fileset_oldest_snapshot_timestamp_seconds",
        "seconds",
        "The time of the oldest automatic snapshot.",
        |e| epoch(e.oldest_snapshot),
    ),
    (
        "planb_fileset_overdue_timestamp_seconds",
        "seconds",
        "From when on the newest snapshot is too old.",
        |e| epoch(e.overdue_at),
    ),
    ("planb_fileset_last_success_timestamp_seconds", "seconds", "When the last success ended.", |e| {
        epoch(e.last_success)
    }),
    ("planb_fileset_last_run_timestamp_seconds", "seconds", "When the last run began.", |e| {
        epoch(e.last_run)
    }),
    (
        "planb_fileset_failing_since_timestamp_seconds",
        "seconds",
        "When the first failure since the last success began.",
        |e| epoch(e.first_failure),
    ),
    ("planb_fileset_next_run_timestamp_seconds", "seconds", "When the next run begins.", |e| {
        epoch(e.next_run)
    }),
    ("planb_fileset_average_duration_seconds", "seconds", "The mean of the last ten successes.", |e| {
        e.average_duration_s
    }),
    ("planb_fileset_size_bytes", "bytes", "What the source held at the last success.", |e| e.size_bytes),
];

/// As plugins of Nagios number them.
fn number_of(level: Level) -> u8 {
    match level {
        Level::Ok => 0,
        Level::Warning => 1,
        Level::Critical => 2,
        Level::Unknown => 3,
    }
}

fn epoch(at: Option<OffsetDateTime>) -> Option<u64> {
    at.and_then(|at| u64::try_from(at.unix_timestamp()).ok())
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, unit: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
        if !unit.is_empty() {
            let _ = writeln!(self.0, "# UNIT {name} {unit}");
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn storages(&mut self, storages: &[StorageStatus]) {
        type Figure = (&'static str, &'static str, &'static str, fn(&StorageStatus) -> Option<u64>);
        let figures: [Figure; 3] = [
            (
                "planb_storage_problem_level",
                "",
                "0 all is well, 1 warning, 2 critical, 3 it cannot be told.",
                |s| Some(number_of(s.level()).into()),
            ),
            ("planb_storage_size_bytes", "bytes", "The room for all datasets together.", |s| {
                s.space.map(|space| space.total)
            }),
            ("planb_storage_available_bytes", "bytes", "What is left of it.", |s| {
                s.space.map(|space| space.available)
            }),
        ];
        for (name, unit, help, value) in figures {
            self.family(name, unit, help);
            for storage in storages {
                let Some(value) = value(storage) else { continue };
                self.sample(name, &[("storage", storage.name.as_str()), ("type", storage.kind)], value);
            }
        }
    }

    /// A family with a sample for each fileset that has a value.
    fn each(
        &mut self,
        all: &[Status],
        name: &str,
        unit: &str,
        help: &str,
        value: impl Fn(&Entry) -> Option<(Vec<(&'static str, String)>, u64)>,
    ) {
        self.family(name, unit, help);
        for status in all {
            let Some((more, value)) = value(&status.entry) else { continue };
            let mut labels = vec![("fileset", status.entry.name.as_str())];
            labels.extend(more.iter().map(|(label, value)| (*label, value.as_str())));
            self.sample(name, &labels, value);
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
