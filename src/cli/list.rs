//! `planb list` and `planb status`: how everything is.

use super::exit::Exit;
use super::world::{self, World};
use super::{out, say, zabbix};
use crate::config::{Configuration, Fileset};
use crate::fileset::key::KeySource;
use crate::fileset::quantity::{Size, Span};
use crate::fileset::reason::chain;
use crate::fileset::record::Outcome;
use crate::fileset::schedule::Schedule;
use crate::history::Notice;
use crate::report::table::{age, dash, minute, plain, table};
use crate::status::{Entry, KeyState, Sources, State, Status as Known, StorageStatus, storages};
use crate::storage::Space;
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write;

/// Show every fileset: state, age of the last success, duration, size, next run
#[derive(Debug, clap::Args)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only filesets of this group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only filesets with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Print what Zabbix discovers filesets by
    #[arg(long, conflicts_with = "json")]
    zabbix: bool,
    /// Print only what the pools' datasets are called: what another backup host asks for
    #[arg(long, conflicts_with_all = ["json", "zabbix"])]
    datasets: bool,
}

/// Show one fileset in full
#[derive(Debug, clap::Args)]
pub struct Status {
    fileset: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As `list --json` prints it.
#[derive(Debug, Serialize)]
struct Filesets<'a> {
    filesets: &'a [Entry],
    /// Those that enabled ones of them have.
    storages: Vec<storages::Entry>,
}

/// As `status --json` prints it.
#[derive(Debug, Serialize)]
struct One<'a> {
    fileset: &'a Entry,
    storages: Vec<storages::Entry>,
}

impl List {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        if self.datasets {
            return self.datasets(&configuration);
        }
        let mut sources = Sources::new(&world.paths, &configuration, world.clock.now());
        let known = look(&mut sources, |entry| {
            self.group.as_ref().is_none_or(|group| entry.group.as_ref() == Some(group))
                && self.tag.as_ref().is_none_or(|tag| entry.tags.contains(tag))
        });
        if self.zabbix {
            out::bare_json(&zabbix::discovery(&mut sources, &known))?;
        }
        let entries: Vec<Entry> = known.into_iter().map(|known| known.entry).collect();
        if !self.zabbix {
            let filesets = entries.iter().filter_map(|entry| configuration.fileset(&entry.name));
            let storages = storages::of(&world.paths, filesets);
            if self.json {
                let storages = storages.iter().map(StorageStatus::entry).collect();
                out::json(Filesets { filesets: &entries, storages })?;
            } else {
                out::print(&shown(world, &configuration, &entries, &storages))?;
            }
        }
        // An invalid drop-in is one that is not backed up: whoever looks here shall see it in the code too.
        Ok(if entries.iter().any(|entry| entry.state == State::Invalid) { Exit::Usage } else { Exit::Done })
    }
}

impl List {
    /// The configuration alone says it: whoever asks need be nobody. What an invalid drop-in would add is not known, and the
    /// code says that there is such.
    fn datasets(&self, configuration: &Configuration) -> Result<Exit> {
        let mut text = String::new();
        let is_wanted = |fileset: &&Fileset| {
            self.group
                .as_ref()
                .is_none_or(|group| fileset.group.as_ref().is_some_and(|of| of.as_str() == group))
                && self.tag.as_ref().is_none_or(|tag| fileset.tags.iter().any(|of| of.as_str() == tag))
        };
        for fileset in configuration.filesets.iter().filter(is_wanted) {
            let storage = &fileset.storage;
            if storage.settings.parent().is_some() {
                let _ = writeln!(text, "{}", storage.settings.name_of(&fileset.dataset));
            } else {
                say(format_args!(
                    "planb: {} is no dataset of a pool: its storage {} has another type than \"zfs\"",
                    fileset.name, storage.name
                ));
            }
        }
        for invalid in &configuration.invalid {
            say(format_args!(
                "planb: {} is no valid fileset: what it would add is not listed",
                invalid.file.display()
            ));
        }
        out::print(&text)?;
        Ok(if configuration.invalid.is_empty() { Exit::Done } else { Exit::Usage })
    }
}

impl Status {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let fileset = match world::one(&configuration, &self.fileset) {
            Ok(fileset) => fileset,
            Err(exit) => return Ok(exit),
        };
        let mut sources = Sources::new(&world.paths, &configuration, world.clock.now());
        let (known, notices) = sources.of(&[fileset]);
        notices.iter().for_each(notice);
        let Some(Known { entry, .. }) = known.first() else { return Ok(Exit::Usage) };
        let storages = storages::of(&world.paths, [fileset]);
        if self.json {
            out::json(One { fileset: entry, storages: storages.iter().map(StorageStatus::entry).collect() })?;
        } else {
            out::print(&in_full(world, fileset, entry, storages.first()))?;
        }
        Ok(Exit::Done)
    }
}

/// All filesets that are wanted.
fn look(sources: &mut Sources<'_>, wanted: impl Fn(&Entry) -> bool) -> Vec<Known> {
    let (mut all, notices) = sources.all();
    notices.iter().for_each(notice);
    all.retain(|known| wanted(&known.entry));
    all
}

/// Says what the history has to say for itself.
pub fn notice(notice: &Notice) {
    say(format_args!("planb: {}", chain(notice)));
}

fn shown(
    world: &World,
    configuration: &Configuration,
    entries: &[Entry],
    storages: &[StorageStatus],
) -> String {
    let now = world.clock.now();
    let row = |entry: &Entry| {
        let local = |at| configuration.fileset(&entry.name).map_or(at, |fileset| fileset.timezone.show(at));
        [
            entry.name.clone(),
            state(entry),
            entry.last_result.map_or_else(dash, |result| result.to_string()),
            age(entry.last_success, now),
            entry.average_duration_s.map_or_else(dash, |secs| Span::from_secs(secs).to_string()),
            entry.size_bytes.map_or_else(dash, |bytes| Size::from_bytes(bytes).to_string()),
            entry.snapshots.map_or_else(dash, |count| count.to_string()),
            entry.next_run.map_or_else(dash, |at| minute(local(at))),
        ]
    };
    let head = ["FILESET", "STATE", "RESULT", "LAST SUCCESS", ">TAKES", ">SIZE", ">SNAPSHOTS", "NEXT RUN"];
    let mut text = table(head, entries.iter().map(row));
    let of_storages = storages.iter().flat_map(|storage| {
        let about = &storage.name;
        storage.problems.iter().map(move |problem| format!("storage {about}: {}\n", plain(&problem.what)))
    });
    let troubles: Vec<String> = entries
        .iter()
        .filter_map(|entry| {
            let local =
                |at| configuration.fileset(&entry.name).map_or(at, |fileset| fileset.timezone.show(at));
            let since = entry.first_failure.map(|at| format!(" (failing since {})", minute(local(at))));
            let error = plain(entry.error.as_ref()?);
            Some(format!("{}{}: {error}\n", entry.name, since.unwrap_or_default()))
        })
        .chain(entries.iter().filter(|entry| entry.key == Some(KeyState::Missing)).map(|entry| {
            format!("{}: its key is missing: planb key list says where it belongs\n", entry.name)
        }))
        .chain(of_storages)
        .collect();
    if !troubles.is_empty() {
        text.push('\n');
        text.extend(troubles);
    }
    text
}

fn state(entry: &Entry) -> String {
    match entry.progress {
        Some(share) if entry.state == State::Running => format!("running {:.0}%", share * 100.0),
        _ => entry.state.as_str().to_owned(),
    }
}

fn in_full(world: &World, fileset: &Fileset, entry: &Entry, storage: Option<&StorageStatus>) -> String {
    let now = world.clock.now();
    let moment = |at: Option<_>| {
        at.map_or_else(dash, |at| format!("{} ({})", minute(fileset.timezone.show(at)), age(Some(at), now)))
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_else(dash);
    let rows = [
        ("fileset", entry.name.clone()),
        ("drop-in", fileset.file.display().to_string()),
        ("group", text(&entry.group)),
        ("tags", if entry.tags.is_empty() { dash() } else { entry.tags.join(" ") }),
        ("source", text(&entry.source)),
        ("storage", text(&entry.storage)),
        ("room", storage.and_then(|storage| storage.space).map_or_else(dash, room)),
        ("dataset", text(&entry.dataset)),
        ("key", key(fileset, entry).into()),
        ("retain", fileset.retain.to_string()),
        ("schedule", schedule(fileset)),
        ("blacklist hours", fileset.blacklist_hours.to_string()),
        ("timezone", fileset.timezone.to_string()),
        ("state", state(entry)),
        ("last run", moment(entry.last_run)),
        ("last result", entry.last_result.map_or_else(dash, |result: Outcome| result.to_string())),
        ("last success", moment(entry.last_success)),
        ("failing since", moment(entry.first_failure)),
        ("error", text(&entry.error)),
        ("takes", entry.average_duration_s.map_or_else(dash, |secs| Span::from_secs(secs).to_string())),
        ("size", entry.size_bytes.map_or_else(dash, |bytes| Size::from_bytes(bytes).to_string())),
        ("snapshots", entry.snapshots.map_or_else(dash, |count| count.to_string())),
        ("next run", entry.next_run.map_or_else(dash, |at| minute(fileset.timezone.show(at)))),
    ];
    let mut text = String::new();
    let troubles = storage.map(|storage| storage.problems.as_slice()).unwrap_or_default();
    let troubles = troubles.iter().map(|problem| ("of the storage", problem.what.clone()));
    for (what, value) in rows.into_iter().chain(troubles) {
        let _ = writeln!(text, "{what:>15}  {}", plain(&value));
    }
    text
}

fn room(space: Space) -> String {
    format!("{} free of {}", Size::from_bytes(space.available), Size::from_bytes(space.total))
}

fn key(fileset: &Fileset, entry: &Entry) -> &'static str {
    match (&fileset.encryption, entry.key) {
        (None, _) => "not encrypted",
        (_, None) => "none yet",
        (_, Some(KeyState::Present)) => "there",
        (_, Some(KeyState::Missing)) => "MISSING",
        (Some(KeySource::Command(_)), Some(KeyState::Unknown)) => "a command has it",
        (_, Some(KeyState::Unknown)) => "cannot be seen",
    }
}

fn schedule(fileset: &Fileset) -> String {
    match &fileset.schedule {
        Schedule::Every(period) => format!("every {period}"),
        Schedule::Calendar(calendar) => calendar.as_str().to_owned(),
    }
}
