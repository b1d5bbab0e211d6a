//! The main process of planb-hooks@NAME.service.

use crate::cli::exit::Exit;
use crate::cli::say;
use crate::cli::world::World;
use crate::fileset::name::Name;
use crate::history::{Last, last};
use crate::run::{announce, ending};
use anyhow::{Context, Result};
use std::fs;

/// Run the hooks for what has ended since they last ran
#[derive(Debug, clap::Args)]
pub struct Hooks {
    fileset: Name,
}

impl Hooks {
    pub fn run(self, world: &World) -> Result<Exit> {
        let name = &self.fileset;
        let Some(directory) = World::runtime_directory() else { return self.again(world) };
        let heard = directory.join("heard");
        let mut logging = false;
        // Another run may end while the hooks of one are running, and systemd starts us once for both.
        loop {
            let known = fs::read_to_string(&heard).unwrap_or_default();
            let waiting = announce::waiting(&world.paths, name, known.trim())
                .with_context(|| format!("failed to see which runs of {name} have ended"))?;
            if waiting.is_empty() {
                return Ok(Exit::Done);
            }
            for (run, ended) in waiting {
                if !logging {
                    world.log(ended.log, &[("PLANB_FILESET", name.as_str())]);
                    logging = true;
                }
                // Before the hooks: better that one hears of a run never than for ever again.
                fs::write(&heard, &run).with_context(|| format!("failed to write {}", heard.display()))?;
                ending::tell_hooks(&world.paths, &ended.last);
            }
        }
    }

    /// By hand: for the last run that ended.
    fn again(&self, world: &World) -> Result<Exit> {
        world.log(None, &[]);
        let last = last::read(&world.paths, &self.fileset)?.filter(|last: &Last| !last.is_open());
        let Some(last) = last else {
            say(format_args!("planb: no run of {} has ended", self.fileset));
            return Ok(Exit::Done);
        };
        ending::tell_hooks(&world.paths, &last);
        Ok(Exit::Done)
    }
}
