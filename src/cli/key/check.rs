//! `planb key check`: is every key there, and the right one?

use super::{all, chosen, may};
use crate::cli::exit::Exit;
use crate::cli::world::{self, World};
use crate::cli::{out, say};
use crate::custody::{check, unused};
use crate::fileset::quantity::counted;
use crate::report::table::table;
use anyhow::Result;
use std::fmt::Write;

/// Try each key on its dataset; find missing, wrong, equal and unused ones
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Only the keys of these filesets
    #[arg(value_name = "FILESET")]
    filesets: Vec<String>,
}

impl Check {
    pub fn run(self, world: &World) -> Result<Exit> {
        if !may(world) {
            return Ok(Exit::Failed);
        }
        let configuration = world.configuration();
        let stop = world::stop()?;
        let (charges, exit) = if self.filesets.is_empty() {
            (all(world, &configuration, &stop), Exit::Done)
        } else {
            chosen(world, &configuration, &self.filesets, &stop)
        };
        let found = check::check(&charges);
        let mut wrong =
            found.iter().flat_map(|(_, findings)| findings).filter(|finding| finding.is_wrong()).count();
        let lines = found.iter().flat_map(|(name, findings)| {
            findings.iter().map(|finding| [name.to_string(), finding.to_string()])
        });
        let mut text = table(["FILESET", "KEY"], lines);
        if self.filesets.is_empty() {
            for key in unused::unused(&world.paths, &configuration, &charges, &stop) {
                wrong += usize::from(key.is_wrong());
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{key}");
            }
        }
        out::print(&text)?;
        if wrong == 0 {
            return Ok(exit);
        }
        say(format_args!("planb: {}", counted(wrong as u64, "fault")));
        Ok(exit.worse(Exit::Failed))
    }
}
