//! The main process of planb-retry@NAME.service, which a transient timer starts.

use crate::cli::exit::Exit;
use crate::cli::world::World;
use crate::fileset::name::Name;
use crate::fileset::record::Trigger;
use crate::host::systemd;
use crate::run::asked::Asked;
use anyhow::{Context, Result};

/// Start the fileset's run as another attempt
#[derive(Debug, clap::Args)]
pub struct Retry {
    fileset: Name,
}

impl Retry {
    pub fn run(self, world: &World) -> Result<Exit> {
        world.log(None, &[]);
        // The run must know: an attempt that nobody asked for obeys the blacklist hours.
        Asked::new(Trigger::Retry, None, false, world.clock.now())
            .leave(&world.paths, &self.fileset)
            .with_context(|| format!("failed to tell the run of {} that it is a retry", self.fileset))?;
        systemd::start(&[format!("planb@{}.service", self.fileset)])?;
        Ok(Exit::Done)
    }
}
