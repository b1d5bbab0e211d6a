//! `planb stale`: datasets that no fileset has.

use super::exit::Exit;
use super::world::World;
use super::{out, say};
use crate::fileset::quantity::Size;
use crate::fileset::reason::chain;
use crate::report::stale::{self, Entry};
use crate::report::table::{age, dash, table};
use anyhow::Result;
use serde::Serialize;

/// Show datasets that no fileset has, and what would destroy them
#[derive(Debug, clap::Args)]
pub struct Stale {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As `stale --json` prints it.
#[derive(Debug, Serialize)]
struct Datasets<'a> {
    datasets: &'a [Entry],
}

impl Stale {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let (entries, troubles) = stale::of_all(&world.paths, &configuration);
        for (storage, error) in &troubles {
            say(format_args!("planb: storage {storage}: {}", chain(error)));
        }
        if self.json {
            out::json(Datasets { datasets: &entries })?;
        } else if !entries.is_empty() {
            out::print(&shown(world, &entries))?;
        }
        Ok(if troubles.is_empty() { Exit::Done } else { Exit::Failed })
    }
}

fn shown(world: &World, entries: &[Entry]) -> String {
    let row = |entry: &Entry| {
        [
            entry.storage.clone(),
            entry.dataset.clone(),
            entry.fileset.clone().unwrap_or_else(dash),
            entry.snapshots.to_string(),
            age(entry.newest, world.clock.now()),
            entry.used_bytes.map_or_else(dash, |bytes| Size::from_bytes(bytes).to_string()),
        ]
    };
    let head = ["STORAGE", "DATASET", "WAS OF", ">SNAPSHOTS", "AGE", ">SIZE"];
    let mut text = table(head, entries.iter().map(row));
    text.push_str("\nplanb destroys none of them. These would, for ever:\n");
    text.extend(entries.iter().map(|entry| format!("  {}\n", entry.destroy)));
    text
}
