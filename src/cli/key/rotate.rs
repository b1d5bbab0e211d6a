//! `planb key rotate`: a new key for a dataset.

use super::{chosen, may, refused};
use crate::cli::exit::Exit;
use crate::cli::say;
use crate::cli::world::{self, World};
use crate::custody::rotate::{self, Rotated};
use anyhow::Result;

/// Give datasets new keys; the old ones are kept until the new ones have opened them
#[derive(Debug, clap::Args)]
pub struct Rotate {
    #[arg(value_name = "FILESET", required = true)]
    fileset: Vec<String>,
}

impl Rotate {
    pub fn run(self, world: &World) -> Result<Exit> {
        if !may(world) {
            return Ok(Exit::Failed);
        }
        let configuration = world.configuration();
        let stop = world::stop()?;
        let (charges, mut exit) = chosen(world, &configuration, &self.fileset, &stop);
        for charge in &charges {
            let name = &charge.fileset.name;
            match rotate::rotate(charge) {
                Ok(Rotated::New(fingerprint)) => {
                    say(format_args!("planb: {name} has a new key ({fingerprint})"));
                }
                Ok(Rotated::Finished(fingerprint)) => say(format_args!(
                    "planb: {name} had a new key already ({fingerprint}), from a rotation that is over now"
                )),
                Err(error) => {
                    exit = exit.worse(refused(charge, &error));
                    continue;
                }
            }
            say(format_args!("planb: recovery sheets of before are void: planb key export {name}"));
        }
        Ok(exit)
    }
}
