//! `planb stop`: stop a run.

use super::exit::Exit;
use super::say;
use super::world::{self, World};
use crate::fileset::record::Outcome;
use crate::history::last;
use crate::host::systemd;
use anyhow::Result;

/// Stop a run that goes on; what came so far is kept for the next one
#[derive(Debug, clap::Args)]
pub struct Stop {
    #[arg(required = true)]
    fileset: Vec<String>,
}

impl Stop {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        if !world.has_units() {
            say("planb: runs are no units of systemd here: stop one with Ctrl-C where it runs");
            return Ok(Exit::Usage);
        }
        if !world.is_root("stop a run") {
            return Ok(Exit::Failed);
        }
        let (chosen, exit) = world::choose(&configuration, &self.fileset);
        for fileset in chosen {
            let name = &fileset.name;
            let unit = format!("planb@{name}.service");
            let before = systemd::show(&unit, &["ActiveState", "InvocationID"])?;
            let state = before.get("ActiveState").map_or("", String::as_str);
            if !matches!(state, "active" | "activating" | "deactivating" | "reloading") {
                say(format_args!("planb: {name} is not running"));
                continue;
            }
            systemd::stop(&[unit])?;
            let ended =
                last::read(&world.paths, name)?.filter(|l| before.get("InvocationID") == Some(&l.run.id));
            match ended.and_then(|last| last.run.result) {
                // It came to its end in the very moment.
                Some(outcome) if outcome != Outcome::Interrupted => {
                    say(format_args!("planb: {name}: {outcome}"));
                }
                _ => say(format_args!("planb: {name} is stopped")),
            }
        }
        Ok(exit)
    }
}
