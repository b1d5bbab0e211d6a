//! The main process of planb-transfer@NAME.service.

use crate::cli::exit::Exit;
use crate::cli::world::{self, World};
use crate::fileset::name::Name;
use crate::run::carry::{self, job::Job};
use crate::transport::Verdict;
use anyhow::{Context, Result};

/// Make the transfer that a run has handed over
#[derive(Debug, clap::Args)]
pub struct Transfer {
    fileset: Name,
}

impl Transfer {
    pub fn run(self, world: &World) -> Result<Exit> {
        let job = Job::read(&world.paths, &self.fileset).with_context(|| {
            format!("failed to read the job of {0}: only a run of {0} starts this", self.fileset)
        })?;
        // What it has to say goes to the run. This is for what cannot.
        world.log(None, &[("PLANB_RUN_ID", job.id.as_str())]);
        let stop = world::stop()?;
        Ok(match carry::carry_inside(&world.paths, &job, &stop)? {
            // Who was asked to stop and did has not failed; that nothing came of it is in the outcome.
            None | Some(Verdict::Interrupted) => Exit::Done,
            Some(Verdict::Deferred) => Exit::Deferred,
            Some(Verdict::Failed | Verdict::TimedOut) => Exit::Failed,
        })
    }
}
