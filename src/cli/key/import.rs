//! `planb key import`: a key from paper.

use super::{chosen, may, refused};
use crate::cli::exit::Exit;
use crate::cli::say;
use crate::cli::world::{self, World};
use crate::custody::import;
use crate::host::secret::{self, Secret};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// More than thousands of sheets have.
const LONGEST: usize = 16 << 20;

/// Bring a key back: read its recovery sheet, its 64 digits or its 32 bytes from standard input
#[derive(Debug, clap::Args)]
pub struct Import {
    fileset: String,
    /// Although there is another key, if this one is known to be the right one
    #[arg(long)]
    replace: bool,
}

impl Import {
    pub fn run(self, world: &World) -> Result<Exit> {
        if !may(world) {
            return Ok(Exit::Failed);
        }
        let configuration = world.configuration();
        let stop = world::stop()?;
        let (charges, exit) = chosen(world, &configuration, std::slice::from_ref(&self.fileset), &stop);
        let [charge] = charges.as_slice() else { return Ok(exit) };
        let name = &charge.fileset.name;
        secret::forbid_dumps().context("failed to keep keys out of core dumps")?;
        if io::stdin().is_terminal() {
            say(format_args!("planb: type the four rows of the recovery sheet of {name}, then Ctrl-D:"));
        }
        // Past the standard library's buffer, where it would stay.
        let stdin =
            File::from(io::stdin().as_fd().try_clone_to_owned().context("failed to open standard input")?);
        let text = Secret::read(stdin, LONGEST).context("failed to read the key")?;
        let text = text.context("what is on standard input is too long to be recovery sheets")?;
        match import::import(charge, &text, self.replace, world.clock.now()) {
            Ok(imported) => {
                let there = if imported.known { "was there already" } else { "is in its place" };
                say(format_args!(
                    "planb: the key of {name} ({}) {there}: {}",
                    imported.fingerprint,
                    charge.keys.place()
                ));
                match imported.untried {
                    Some(why) => say(format_args!("planb: nobody knows yet whether it fits: {why}")),
                    None => say(format_args!("planb: it fits {}", charge.filesystem())),
                }
                Ok(Exit::Done)
            }
            Err(error) => Ok(refused(charge, &error)),
        }
    }
}
