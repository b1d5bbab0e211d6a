//! `planb top`: what goes on, as it goes on.

use super::exit::Exit;
use super::out;
use super::terminal::{self, Terminal};
use super::world::{self, World};
use crate::config::Configuration;
use crate::host::zoneinfo;
use crate::report::screen::{self, View};
use crate::run::live;
use crate::status::{Sources, Status, StorageStatus, storages};
use anyhow::{Context, Result};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Show what runs, waits, fails and comes next, and keep it up to date; q ends it
#[derive(Debug, clap::Args)]
pub struct Top {}

/// How often the screen is drawn.
const PACE: Duration = Duration::from_secs(1);
/// How often every fileset is looked at. What runs is looked at each time.
const ROUND: Duration = Duration::from_secs(5);
/// As wide as what is piped is.
const COLUMNS: usize = 120;

impl Top {
    pub fn run(world: &World) -> Result<Exit> {
        let mut configuration = world.configuration();
        let (mut all, mut storages) = look(world, &configuration);
        if !std::io::stdout().is_terminal() {
            let lines = frame(world, &configuration, (&all, &storages), (COLUMNS, None));
            out::print(&lines.iter().map(|line| line.text.trim_end().to_owned() + "\n").collect::<String>())?;
            return Ok(Exit::Done);
        }
        let stop = world::stop()?;
        let terminal = Terminal::enter().context("failed to take over the terminal")?;
        let mut looked = Instant::now();
        while !stop.wished() {
            if looked.elapsed() >= ROUND {
                configuration = crate::config::load(&world.paths, world.user);
                (all, storages) = look(world, &configuration);
                looked = Instant::now();
            }
            let (width, height) = terminal::size();
            terminal.draw(&frame(world, &configuration, (&all, &storages), (width, Some(height))))?;
            if terminal.wait(&stop, PACE) {
                break;
            }
        }
        Ok(Exit::Done)
    }
}

fn look(world: &World, configuration: &Configuration) -> (Vec<Status>, Vec<StorageStatus>) {
    // What the history has to say would only disturb the picture: `planb list` says it.
    let (all, _) = Sources::new(&world.paths, configuration, world.clock.now()).judging().all();
    (all, storages::of(&world.paths, &configuration.filesets))
}

fn frame(
    world: &World,
    configuration: &Configuration,
    (all, storages): (&[Status], &[StorageStatus]),
    (width, height): (usize, Option<usize>),
) -> Vec<screen::Line> {
    let now = world.clock.now();
    let live = live::all(&world.paths);
    let (slots, clock) = (configuration.settings.slots, zoneinfo::local().show(now));
    screen::lines(&View { all, storages, live: &live, slots, now, clock }, width, height)
}
