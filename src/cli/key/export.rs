//! `planb key export`: a key on paper.

use super::{all, chosen, may, refused};
use crate::cli::exit::Exit;
use crate::cli::world::{self, World};
use crate::cli::{out, say};
use crate::custody::export;
use anyhow::{Context, Result};

/// Print recovery sheets: the keys, and how to use them without planb
#[derive(Debug, clap::Args)]
pub struct Export {
    #[arg(value_name = "FILESET", required_unless_present = "all")]
    fileset: Vec<String>,
    /// The keys of all filesets that are encrypted
    #[arg(long, conflicts_with = "fileset")]
    all: bool,
}

impl Export {
    pub fn run(self, world: &World) -> Result<Exit> {
        if !may(world) {
            return Ok(Exit::Failed);
        }
        let configuration = world.configuration();
        let stop = world::stop()?;
        let (charges, mut exit) = if self.all {
            (all(world, &configuration, &stop), Exit::Done)
        } else {
            chosen(world, &configuration, &self.fileset, &stop)
        };
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let at = world.clock.now();
        let mut printed = 0;
        for charge in &charges {
            let name = &charge.fileset.name;
            let export = match export::export(charge, &host, at) {
                Ok(export) => export,
                Err(error) => {
                    exit = exit.worse(refused(charge, &error));
                    continue;
                }
            };
            // A page for each.
            if printed > 0 {
                out::secret(b"\x0c\n").context("failed to print the recovery sheets")?;
            }
            out::secret(&export.text)
                .with_context(|| format!("failed to print the recovery sheet of {name}"))?;
            printed += 1;
            if let Some(why) = &export.untried {
                say(format_args!("planb: {name}: nobody knows whether this key fits: {why}"));
            }
            export::remember(charge, &export.fingerprint, at)
                .with_context(|| format!("failed to remember that the key of {name} was exported"))?;
        }
        if printed > 0 {
            say(format_args!("planb: store this away from this machine and its disks, on paper for example"));
        }
        Ok(exit)
    }
}
