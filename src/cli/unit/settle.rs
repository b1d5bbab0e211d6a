//! What systemd calls when the main process of planb@NAME.service is gone.

use crate::cli::exit::Exit;
use crate::cli::run::slots;
use crate::cli::world::{self, World};
use crate::config;
use crate::fileset::name::Name;
use crate::host::signals::Stop;
use crate::run::Host;
use crate::run::carry::Carrier;
use crate::run::settle;
use anyhow::Result;

/// Close what a run left open, and see to what comes after it
#[derive(Debug, clap::Args)]
pub struct Settle {
    fileset: Name,
}

impl Settle {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = config::load(&world.paths, world.user);
        let id = world.run_id(true)?;
        world.log(configuration.settings.log, &[("PLANB_RUN_ID", id.as_str())]);
        // What is begun here is brought to its end: it is short, and nobody comes after us.
        let (stop, slots) = (Stop::new()?, slots(world, &configuration));
        let host = Host {
            paths: &world.paths,
            slots: &slots,
            stop: &stop,
            clock: world.clock,
            carrier: Carrier::Unit(world::account()?),
            log: configuration.settings.log,
        };
        let fileset = configuration.fileset(self.fileset.as_str());
        settle::settle(&host, &self.fileset, fileset, &id, &world::main_process_end());
        Ok(Exit::Done)
    }
}
