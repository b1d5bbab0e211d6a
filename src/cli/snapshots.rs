//! `planb snapshots` and `planb prune`: what there is to go back to, and letting go of what retention does not keep.

use super::exit::Exit;
use super::world::{self, World};
use super::{out, say};
use crate::config::Fileset;
use crate::fileset::quantity::Size;
use crate::fileset::snapshot::Automatic;
use crate::report::snapshots::{self, Entry};
use crate::report::table::{age, dash, minute, table};
use crate::run::attempt;
use crate::run::claim::{self, Refused};
use crate::storage::Storage;
use anyhow::{Context, Result};
use serde::Serialize;

/// Show what a fileset can go back to, and why each snapshot is kept
#[derive(Debug, clap::Args)]
pub struct Snapshots {
    fileset: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Apply retention now
#[derive(Debug, clap::Args)]
pub struct Prune {
    fileset: String,
    /// Show the plan and destroy nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As `snapshots --json` prints it.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    fileset: &'a str,
    snapshots: &'a [Entry],
}

/// As `prune --json` prints it.
#[derive(Debug, Serialize)]
struct Pruned<'a> {
    fileset: &'a str,
    destroyed: Vec<String>,
    kept: Vec<Kept<'a>>,
}

#[derive(Debug, Serialize)]
struct Kept<'a> {
    name: &'a str,
    keep: &'a [String],
}

impl Snapshots {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let fileset = match world::one(&configuration, &self.fileset) {
            Ok(fileset) => fileset,
            Err(exit) => return Ok(exit),
        };
        let entries = snapshots::of(fileset, &listed(world, fileset)?);
        if self.json {
            out::json(Listing { fileset: fileset.name.as_str(), snapshots: &entries })?;
        } else {
            out::print(&shown(world, fileset, &entries))?;
        }
        Ok(Exit::Done)
    }
}

fn listed(world: &World, fileset: &Fileset) -> Result<Vec<crate::storage::Listed>> {
    Storage::new(&fileset.storage.settings, &world.paths)
        .snapshots(&fileset.dataset)
        .with_context(|| format!("failed to list the snapshots of {}", fileset.name))
}

fn shown(world: &World, fileset: &Fileset, entries: &[Entry]) -> String {
    let now = world.clock.now();
    let size = |bytes: Option<u64>| bytes.map_or_else(dash, |bytes| Size::from_bytes(bytes).to_string());
    let why = |entry: &Entry| {
        if entry.keep.is_empty() { "the next run destroys it".into() } else { entry.keep.join(", ") }
    };
    let row = |entry: &Entry| {
        [
            entry.name.clone(),
            minute(fileset.timezone.show(entry.time)),
            age(Some(entry.time), now),
            size(entry.used_bytes),
            why(entry),
            entry.path.clone(),
        ]
    };
    table(["SNAPSHOT", "TIME", "AGE", ">USED", "KEPT FOR", "FILES"], entries.iter().map(row))
}

impl Prune {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let fileset = match world::one(&configuration, &self.fileset) {
            Ok(fileset) => fileset,
            Err(exit) => return Ok(exit),
        };
        // The plan is made and carried out under the fileset's lock, so that it is the same plan. Who only wants to see it
        // stands in nobody's way.
        let claim = match (!self.dry_run).then(|| claim::take(&world.paths, &fileset.name)).transpose() {
            Ok(claim) => claim,
            Err(refused @ Refused::Busy { .. }) => {
                say(format_args!("planb: {refused}"));
                return Ok(Exit::Busy);
            }
            Err(refused) => return Err(refused.into()),
        };
        if let Some(claim) = &claim {
            claim.tell(&fileset.name);
        }
        let storage = Storage::new(&fileset.storage.settings, &world.paths);
        let listed = listed(world, fileset)?;
        let entries = snapshots::of(fileset, &listed);
        let plan = attempt::plan(fileset, &listed);
        let destroyed = if self.dry_run {
            plan.destroy.clone()
        } else {
            attempt::destroy(fileset, &storage, &plan)
                .with_context(|| format!("failed to prune {}", fileset.name))?
        };
        drop(claim);
        self.print(&fileset.name.to_string(), &entries, &destroyed)?;
        if !self.dry_run {
            let stop = world::stop()?;
            storage
                .empty_trash(&fileset.dataset, &stop)
                .context("failed to free the room of destroyed snapshots")?;
        }
        Ok(if destroyed.len() == plan.destroy.len() { Exit::Done } else { Exit::Failed })
    }

    fn print(&self, fileset: &str, entries: &[Entry], destroyed: &[Automatic]) -> Result<()> {
        let destroyed: Vec<String> = destroyed.iter().map(ToString::to_string).collect();
        let kept = entries.iter().filter(|entry| !destroyed.contains(&entry.name));
        if self.json {
            let kept = kept.map(|entry| Kept { name: &entry.name, keep: &entry.keep }).collect();
            out::json(Pruned { fileset, destroyed, kept })?;
            return Ok(());
        }
        let would = if self.dry_run { "would destroy" } else { "destroyed" };
        let gone = destroyed.iter().map(|name| [would.to_owned(), name.clone(), String::new()]);
        let stay = kept.map(|entry| ["keep".to_owned(), entry.name.clone(), entry.keep.join(", ")]);
        out::print(&table(["", "SNAPSHOT", "KEPT FOR"], gone.chain(stay)))?;
        Ok(())
    }
}
