//! The main process of planb-agent.service.

use super::exit::Exit;
use super::world::{self, World};
use crate::agent;
use anyhow::{Context, Result};

/// Serve the system's bus: what there is to know, and who may, starts and stops
#[derive(Debug, clap::Args)]
pub struct Agent {}

impl Agent {
    pub fn run(world: &World) -> Result<Exit> {
        world.log(crate::config::load(&world.paths, world.user).settings.log, &[]);
        agent::serve(&world.paths, world.clock, world.user, &world::stop()?)
            .context("failed to serve the bus")?;
        Ok(Exit::Done)
    }
}
