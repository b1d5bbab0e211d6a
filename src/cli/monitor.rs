//! `planb monitor`: a plugin of Nagios, Icinga and whatever else calls such.
//!
//! The contract (Monitoring Plugins Development Guidelines): one line `SERVICE STATUS - text | perfdata`, more lines for who
//! wants to know, and 0, 1, 2 or 3 for OK, WARNING, CRITICAL and UNKNOWN. The one thing it may never do is to be OK because
//! there was nothing to look at.

use super::exit::Exit;
use super::world::World;
use super::{out, zabbix};
use crate::config::Configuration;
use crate::fileset::quantity::{Span, counted};
use crate::fileset::reason::chain;
use crate::history::Notice;
use crate::report::table::plain;
use crate::status::due::Given;
use crate::status::sum::Sum;
use crate::status::timers::Timers;
use crate::status::{Level, Problem, Sources, State, Status, StorageStatus, seconds, storages};
use crate::storage::Space;
use std::fmt::Write;
use time::OffsetDateTime;

/// Check all filesets, or these, as a plugin for Nagios and Icinga
#[derive(Debug, clap::Args)]
pub struct Monitor {
    fileset: Vec<String>,
    /// Warn when the newest snapshot is older, whatever the schedule says
    #[arg(short, long, value_name = "AGE", value_parser = span)]
    warning: Option<Span>,
    /// Be critical when the newest snapshot is older, whatever the schedule says
    #[arg(short, long, value_name = "AGE", value_parser = span)]
    critical: Option<Span>,
    /// Print a summary for Zabbix
    #[arg(long, conflicts_with = "fileset")]
    zabbix: bool,
}

fn span(text: &str) -> Result<Span, String> {
    text.parse().map_err(|invalid: crate::fileset::invalid::Invalid| invalid.message)
}

/// What there is to say, each with the fileset that it is about.
struct Verdict {
    found: Vec<(Option<String>, Problem)>,
    all: Vec<Status>,
    storages: Vec<StorageStatus>,
    sum: Sum,
    now: OffsetDateTime,
}

impl Monitor {
    pub fn run(self, world: &World) -> Exit {
        let configuration = world.configuration();
        let verdict = self.look(world, &configuration);
        let level = verdict.level();
        let printed = if self.zabbix {
            let storages_in_trouble = verdict.storages.iter().filter(|s| s.level() != Level::Ok).count();
            let (sum, message) = (verdict.sum, verdict.headline(&self.fileset));
            let summary = zabbix::Summary { sum, storages_in_trouble, level, message };
            out::bare_json(&summary)
        } else {
            out::print(&verdict.shown(&self.fileset))
        };
        match level {
            _ if printed.is_err() => Exit::Unknown,
            // Zabbix takes an exit code for a failure to look.
            _ if self.zabbix => Exit::Done,
            Level::Ok => Exit::Done,
            Level::Warning => Exit::Failed,
            Level::Critical => Exit::Usage,
            Level::Unknown => Exit::Unknown,
        }
    }

    fn look(&self, world: &World, configuration: &Configuration) -> Verdict {
        let now = world.clock.now();
        let mut sources = Sources::new(&world.paths, configuration, now).judging();
        sources.given =
            Given { warning: self.warning.map(Span::duration), critical: self.critical.map(Span::duration) };
        if world.has_units() {
            sources.timers = Timers::look();
        }
        let unseen = match &sources.timers {
            Timers::Unseen(why) => Some(format!("the timers cannot be seen: {why}")),
            Timers::None | Timers::Waiting(_) => None,
        };
        let (mut all, notices) = sources.all();
        let mut found: Vec<(Option<String>, Problem)> = Vec::new();
        let mut whole = |level, what: String| found.push((None, Problem::new(level, what)));
        if self.fileset.is_empty() {
            for diagnostic in configuration.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()) {
                // Those of a fileset are told with it.
                if diagnostic.path == world.paths.settings() {
                    whole(Level::Critical, first_line(&diagnostic.to_string()));
                }
            }
            if all.is_empty() {
                whole(Level::Unknown, "there is no fileset".into());
            } else if !all.iter().any(|status| status.entry.enabled != Some(false)) {
                whole(Level::Unknown, "every fileset is disabled".into());
            }
        } else {
            all.retain(|status| self.fileset.contains(&status.entry.name));
            for name in &self.fileset {
                match all.iter().find(|status| status.entry.name == *name) {
                    None => whole(Level::Unknown, configuration.unknown(name)),
                    Some(status) if status.entry.state == State::Disabled => {
                        whole(Level::Unknown, format!("{name} is disabled"));
                    }
                    Some(_) => {}
                }
            }
        }
        if let Some(why) = unseen {
            whole(Level::Unknown, why);
        }
        notices.iter().filter_map(of_notice).for_each(|(level, what)| whole(level, what));
        let filesets = all.iter().filter_map(|status| configuration.fileset(&status.entry.name));
        let storages = storages::of(&world.paths, filesets);
        for storage in &storages {
            let about = format!("storage {}", storage.name);
            found.extend(storage.problems.iter().map(|problem| (Some(about.clone()), problem.clone())));
        }
        for status in &all {
            let name = &status.entry.name;
            let own = status.problems.iter().filter(|problem| !storages::have_told(&storages, problem));
            found.extend(own.map(|problem| (Some(name.clone()), problem.clone())));
        }
        found.sort_by_key(|(_, problem)| std::cmp::Reverse(problem.level));
        let sum = Sum::of(&all, now);
        Verdict { found, all, storages, sum, now }
    }
}

/// What the history has to say for itself, where somebody has to do something.
fn of_notice(notice: &Notice) -> Option<(Level, String)> {
    let level = match notice {
        Notice::Unreadable { .. } | Notice::LastUnreadable { .. } => Level::Unknown,
        notice if notice.is_trouble() => Level::Warning,
        _ => return None,
    };
    Some((level, chain(notice)))
}

impl Verdict {
    fn level(&self) -> Level {
        self.found.first().map_or(Level::Ok, |(_, problem)| problem.level)
    }

    /// The first thing that anybody has to know.
    fn headline(&self, asked: &[String]) -> String {
        let Some((about, worst)) = self.found.first() else {
            let age = self.all.iter().filter_map(|status| status.age_s(self.now)).max();
            let old = age.map(|age| format!(", no newest snapshot older than {}", Span::from_secs(age)));
            return match (asked, self.all.as_slice()) {
                ([name], [one]) => match one.age_s(self.now) {
                    Some(age) => format!("{name}: its newest snapshot is {} old", Span::from_secs(age)),
                    None => format!("{name}: its first run is to come"),
                },
                _ => format!("{}{}", counted(self.sum.filesets as u64, "fileset"), old.unwrap_or_default()),
            };
        };
        let more = match self.found.len() - 1 {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let about = about.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        tame(&format!("{about}{}{more}", worst.what))
    }

    fn shown(&self, asked: &[String]) -> String {
        let status = self.level().as_str().to_uppercase();
        let mut text = format!("PLANB {status} - {} | {}\n", self.headline(asked), self.figures(asked));
        for (about, problem) in &self.found {
            let about = about.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let _ =
                writeln!(text, "{}: {}", problem.level.as_str(), tame(&format!("{about}{}", problem.what)));
        }
        text
    }

    /// Performance data: 'label'=value[unit];[warn];[crit];[min];[max]. Of each fileset that was asked for by its name its own.
    fn figures(&self, asked: &[String]) -> String {
        let mut figures = Vec::new();
        let age = |status: &Status, label: &str| {
            let age = status.age_s(self.now)?;
            let newest = status.entry.newest_snapshot?;
            let at = |moment: OffsetDateTime| seconds(moment - newest).to_string();
            let (warning, critical) =
                status.due.map(|due| (at(due.warning), at(due.critical))).unwrap_or_default();
            Some(format!("{label}={age}s;{warning};{critical};0"))
        };
        if asked.is_empty() {
            // That which is nearest to its threshold, or furthest beyond.
            let dearest = self
                .all
                .iter()
                .filter(|status| status.due.is_some() && status.entry.newest_snapshot.is_some());
            figures.extend(dearest.min_by_key(|s| s.due.map(|due| due.warning)).and_then(|s| age(s, "age")));
            let sum = &self.sum;
            for (label, count) in
                [("filesets", sum.filesets), ("enabled", sum.enabled), ("running", sum.running)]
            {
                figures.push(format!("{label}={count};;;0"));
            }
            figures.push(format!("failed={};0;;0", sum.failed));
            figures.push(format!("overdue={};0;;0", sum.overdue));
            figures.push(format!("invalid={};;0;0", sum.invalid));
            figures.push(format!("keyless={};;0;0", sum.keyless));
            figures.extend(self.storages.iter().filter_map(free));
            return figures.join(" ");
        }
        for status in &self.all {
            let name = &status.entry.name;
            figures.extend(age(status, &format!("{name}_age")));
            figures.extend(status.entry.snapshots.map(|count| format!("{name}_snapshots={count};;;0")));
            figures.extend(status.entry.size_bytes.map(|bytes| format!("{name}_size={bytes}B;;;0")));
        }
        figures.extend(self.storages.iter().filter_map(free));
        figures.join(" ")
    }
}

/// The room in a storage. Here less is worse, which a threshold says with a colon behind it; and there is a most.
fn free(storage: &StorageStatus) -> Option<String> {
    let Space { total, available } = storage.space?;
    let below = |limit: u64| format!("{limit}:");
    let (warning, critical) =
        storage.least_free.map(|least| (below(least.saturating_mul(2)), below(least))).unwrap_or_default();
    Some(format!("storage_{}_free={available}B;{warning};{critical};0;{total}", storage.name))
}

/// Text for one line of a plugin: a bar would begin the figures.
fn tame(text: &str) -> String {
    plain(&first_line(text)).replace('|', "/")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
