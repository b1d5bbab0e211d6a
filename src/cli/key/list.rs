//! `planb key list`: where is each key, and is there a copy elsewhere? Needs no look into them.

use super::{all, warn_of_only_copies};
use crate::cli::exit::Exit;
use crate::cli::out;
use crate::cli::world::{self, World};
use crate::custody::Charge;
use crate::fileset::key::KeySource;
use crate::keys::Slot;
use crate::keys::exported;
use crate::report::table::{dash, minute, table};
use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

/// Show where the key of each encrypted fileset is, and whether it was ever exported
#[derive(Debug, clap::Args)]
pub struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Listing {
    keys: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    fileset: String,
    dataset: String,
    /// `credential`, `file` or `command`.
    source: &'static str,
    place: String,
    /// Absent where it cannot be seen: a command has it, or we may not look.
    present: Option<bool>,
    /// Whether a rotation is not over.
    rotating: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    exported: Option<OffsetDateTime>,
    /// Of the key that was exported.
    fingerprint: Option<String>,
    #[serde(skip)]
    kept_here: bool,
}

impl Entry {
    fn of(charge: &Charge<'_>) -> Self {
        let name = &charge.fileset.name;
        let source = match charge.fileset.encryption {
            Some(KeySource::File(_)) => "file",
            Some(KeySource::Command(_)) => "command",
            Some(KeySource::Credential) | None => "credential",
        };
        let exported = exported::read(charge.paths, name);
        let kept_here = charge.keys.are_kept_here();
        let present = charge.keys.present().ok().filter(|_| kept_here);
        Self {
            fileset: name.to_string(),
            dataset: charge.filesystem(),
            source,
            place: charge.keys.place(),
            rotating: present.as_ref().is_some_and(|present| present.contains(&Slot::Pending)),
            present: present.map(|present| !present.is_empty()),
            exported: exported.as_ref().map(|exported| exported.at),
            fingerprint: exported.map(|exported| exported.fingerprint.to_string()),
            kept_here,
        }
    }

    fn row(&self, configuration: &crate::config::Configuration) -> [String; 4] {
        let zone = configuration.fileset(&self.fileset).map(|fileset| &fileset.timezone);
        let state = match self.present {
            None => dash(),
            Some(false) => "not there".into(),
            Some(true) if self.rotating => "rotation not over".into(),
            Some(true) => "there".into(),
        };
        let exported = match (self.exported.zip(zone), self.kept_here) {
            (Some((at, zone)), _) => minute(zone.show(at)),
            (None, true) if self.present != Some(false) => "never".into(),
            (None, _) => dash(),
        };
        [self.fileset.clone(), self.place.clone(), state, exported]
    }
}

impl List {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let stop = world::stop()?;
        let entries: Vec<Entry> = all(world, &configuration, &stop).iter().map(Entry::of).collect();
        let only: Vec<String> = entries
            .iter()
            .filter(|entry| entry.kept_here && entry.present != Some(false) && entry.exported.is_none())
            .map(|entry| entry.fileset.clone())
            .collect();
        if self.json {
            out::json(Listing { keys: entries })?;
        } else {
            let rows = entries.iter().map(|entry| entry.row(&configuration));
            out::print(&table(["FILESET", "KEY", "STATE", "EXPORTED"], rows))?;
        }
        warn_of_only_copies(&only.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(Exit::Done)
    }
}
