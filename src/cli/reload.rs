//! `planb reload`: make systemd follow the configuration.

use super::exit::Exit;
use super::run::slots;
use super::world::World;
use super::{out, say};
use crate::config::Configuration;
use crate::host::events;
use crate::host::signals::Stop;
use crate::reload::{self, Done, Plan};
use anyhow::Result;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Make systemd follow the configuration: start, restart and stop timers; runs go on
#[derive(Debug, clap::Args)]
pub struct Reload {
    /// Print what would change, and change nothing
    #[arg(long = "dry-run")]
    rehearse: bool,
    /// Do nothing if the configuration is the one that was followed last
    #[arg(long, hide = true, conflicts_with = "rehearse")]
    if_changed: bool,
}

impl Reload {
    /// After a change of ours. What is wrong with other filesets is told, and is not its failure.
    pub fn now(world: &World) -> Result<()> {
        Self { rehearse: false, if_changed: false }.run(world).map(drop)
    }

    pub fn run(self, world: &World) -> Result<Exit> {
        if !world.has_units() {
            world.log(None, &[]);
            say("planb: systemd does not run this machine, so there is nothing to reload");
            return Ok(Exit::Usage);
        }
        if self.rehearse {
            world.log(None, &[]);
            let Done { configuration, plan } = reload::rehearse(&world.paths, world.user)?;
            out::print(&shown(&plan))?;
            return Ok(told(&configuration, &plan));
        }
        let log = crate::config::load(&world.paths, world.user).settings.log;
        world.log(log, &[]);
        if !world.is_root("reload") {
            return Ok(Exit::Failed);
        }
        if self.if_changed && !reload::is_due(&world.paths) {
            return Ok(Exit::Done);
        }
        let done = reload::reload(&world.paths, world.user)?;
        let nothing = done.leaves_nothing(&world.paths);
        let Done { configuration, plan } = done;
        out::print(&shown(&plan))?;
        if !plan.is_empty() {
            log::info!(
                MESSAGE_ID = events::CONFIGURATION_RELOADED;
                "timers: {} started, {} restarted, {} stopped; {} in all",
                plan.start.len(), plan.restart.len(), plan.stop.len(), plan.timers
            );
        }
        let exit = told(&configuration, &plan);
        let (stop, slots) = (Stop::new()?, slots(world, &configuration));
        let host = world.unit_host(&slots, &stop, log)?;
        reload::recover(&host, &configuration)?;
        if nothing {
            log::error!(
                MESSAGE_ID = events::CONFIGURATION_INVALID;
                "no fileset has a timer: nothing is backed up by itself any more (see planb list)"
            );
            return Ok(Exit::Failed);
        }
        Ok(exit)
    }
}

/// One line for each timer that changes.
fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    let mut lines = |what: &str, names: &BTreeSet<String>| {
        for name in names {
            let _ = writeln!(text, "{what}\tplanb@{name}.timer");
        }
    };
    lines("start", &plan.start);
    lines("restart", &plan.restart);
    lines("stop", &plan.stop);
    lines("keep", &plan.keep);
    text
}

/// Says what is wrong, which nobody may be there to see but the journal.
fn told(configuration: &Configuration, plan: &Plan) -> Exit {
    for invalid in &configuration.invalid {
        let name = invalid.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let fate = if plan.keep.contains(&name) { "the old schedule goes on" } else { "it has no schedule" };
        for diagnostic in &invalid.diagnostics {
            log::error!(MESSAGE_ID = events::CONFIGURATION_INVALID, PLANB_FILESET = name.as_str(); "{diagnostic}");
        }
        log::error!(
            MESSAGE_ID = events::CONFIGURATION_INVALID, PLANB_FILESET = name.as_str();
            "{} is invalid and is not backed up; {fate}", invalid.file.display()
        );
    }
    if configuration.invalid.is_empty() { Exit::Done } else { Exit::Usage }
}
