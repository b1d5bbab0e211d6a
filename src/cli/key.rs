//! `planb key`: looking after the keys of encrypted filesets.

mod check;
mod export;
mod import;
mod list;
mod rotate;

use super::exit::Exit;
use super::say;
use super::world::{self, World};
use crate::config::{Configuration, Fileset};
use crate::custody::{Charge, Error};
use crate::fileset::reason::chain;
use crate::host::signals::Stop;
use crate::run::claim::Refused;
use anyhow::Result;

/// Look after the keys of encrypted filesets
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
pub struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::List),
    Check(check::Check),
    Export(export::Export),
    Import(import::Import),
    Rotate(rotate::Rotate),
}

impl Key {
    pub fn run(self, world: &World) -> Result<Exit> {
        match self.command {
            Command::List(list) => list.run(world),
            Command::Check(check) => check.run(world),
            Command::Export(export) => export.run(world),
            Command::Import(import) => import.run(world),
            Command::Rotate(rotate) => rotate.run(world),
        }
    }
}

/// Whether we may see keys; says so where not.
fn may(world: &World) -> bool {
    world.paths.is_rooted() || world.is_root("see keys")
}

/// The keys of the filesets that are encrypted.
fn all<'a>(world: &'a World, configuration: &'a Configuration, stop: &'a Stop) -> Vec<Charge<'a>> {
    configuration.filesets.iter().filter_map(|fileset| Charge::of(&world.paths, fileset, stop)).collect()
}

/// The keys of the filesets of these names. What is wrong with the others is said, and is the exit code.
fn chosen<'a>(
    world: &'a World,
    configuration: &'a Configuration,
    names: &[String],
    stop: &'a Stop,
) -> (Vec<Charge<'a>>, Exit) {
    let (filesets, mut exit) = world::choose(configuration, names);
    let charge = |fileset: &'a Fileset| {
        let charge = Charge::of(&world.paths, fileset, stop);
        if charge.is_none() {
            say(format_args!("planb: {} is not encrypted: it has no key", fileset.name));
            exit = Exit::Usage;
        }
        charge
    };
    (filesets.into_iter().filter_map(charge).collect(), exit)
}

/// Says why nothing was done to a key.
fn refused(charge: &Charge<'_>, error: &Error) -> Exit {
    say(format_args!("planb: {}: {}", charge.fileset.name, chain(error)));
    if matches!(error, Error::Busy(Refused::Busy { .. })) { Exit::Busy } else { Exit::Failed }
}

/// Says of which keys there is no copy elsewhere, in one line.
fn warn_of_only_copies(names: &[&str]) {
    if !names.is_empty() {
        say(format_args!(
            "planb: these have their keys on this machine alone, and backups without a key are lost: {0}\n\
             planb: print recovery sheets and take them away from here: planb key export {0}",
            names.join(" ")
        ));
    }
}
