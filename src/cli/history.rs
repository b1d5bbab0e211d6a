//! `planb history`: what happened.

use super::exit::Exit;
use super::list::notice;
use super::out;
use super::world::World;
use crate::fileset::name::Name;
use crate::fileset::quantity::{Size, Span};
use crate::fileset::record::Record;
use crate::history;
use crate::history::json::Run;
use crate::host::zoneinfo;
use crate::report::table::{dash, minute, table};
use anyhow::{Context, Result};
use serde::Serialize;

/// Show past runs, the newest first
#[derive(Debug, clap::Args)]
pub struct History {
    #[arg(value_parser = name)]
    fileset: Option<Name>,
    /// How many
    #[arg(short, value_name = "N", default_value_t = 20)]
    n: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As `history --json` prints it.
#[derive(Debug, Serialize)]
struct Runs<'a> {
    runs: Vec<Run<'a>>,
}

/// A fileset's name, whether it is configured or not.
pub fn name(text: &str) -> Result<Name, String> {
    text.parse().map_err(|invalid: crate::fileset::invalid::Invalid| invalid.message)
}

impl History {
    // The fileset need not be configured any more: its history is still its history.
    pub fn run(self, world: &World) -> Result<Exit> {
        let (runs, notices) = history::ask(&world.paths, world.clock.now(), |history| {
            history.runs(self.fileset.as_ref(), Some(self.n))
        })
        .context("failed to read the history")?;
        notices.iter().for_each(notice);
        if self.json {
            let runs: Vec<Run<'_>> = runs.iter().map(Run::from).collect();
            out::json(Runs { runs })?;
            return Ok(Exit::Done);
        }
        let zone = zoneinfo::local();
        let row = |run: &Record| {
            let transferred = run.transferred.filter(|_| run.snapshot.is_some());
            [
                minute(zone.show(run.started)),
                run.fileset.to_string(),
                run.trigger.to_string(),
                run.result.map_or_else(dash, |result| result.to_string()),
                run.duration_s().map_or_else(dash, |secs| Span::from_secs(secs).to_string()),
                transferred.and_then(|t| t.files).map_or_else(dash, |files| files.to_string()),
                transferred
                    .and_then(|t| t.bytes)
                    .map_or_else(dash, |bytes| Size::from_bytes(bytes).to_string()),
                run.snapshot.clone().or_else(|| run.error.clone()).unwrap_or_else(dash),
            ]
        };
        let head =
            ["STARTED", "FILESET", "BY", "RESULT", ">TOOK", ">FILES", ">TRANSFERRED", "SNAPSHOT OR ERROR"];
        out::print(&table(head, runs.iter().map(row)))?;
        Ok(Exit::Done)
    }
}
