//! What systemd calls when the main process of planb@NAME.service is gone.

use crate::cli::exit::Exit;
use crate::cli::run::slots;
use crate::cli::world::World;
use crate::config;
use crate::fileset::name::Name;
use crate::host::signals::Stop;
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
        let fields = [("PLANB_FILESET", self.fileset.as_str()), ("PLANB_RUN_ID", id.as_str())];
        world.log(configuration.settings.log, &fields);
        // What is begun here is brought to its end: it is short, and nobody comes after us.
        let (stop, slots) = (Stop::new()?, slots(world, &configuration));
        let host = world.unit_host(&slots, &stop, configuration.settings.log)?;
        let fileset = configuration.fileset(self.fileset.as_str());
        settle::settle(&host, &self.fileset, fileset, &id, &World::main_process_end());
        Ok(Exit::Done)
    }
}
