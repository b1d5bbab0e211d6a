//! `planb rename`, `planb clone` and `planb remove`: changes of a fileset that are changes of many things.

use super::exit::Exit;
use super::history::name;
use super::reload::Reload;
use super::world::{self, World};
use super::{out, say};
use crate::change::{self, Error, Hands, Plan};
use crate::config::{self, Configuration};
use crate::fileset::name::Name;
use crate::fileset::reason::chain;
use crate::host::signals::Stop;
use crate::run::claim::Refused;
use crate::storage;
use anyhow::Result;
use std::fmt::Write;

/// Give a fileset another name: its drop-in, dataset, key, history and timers
#[derive(Debug, clap::Args)]
pub struct Rename {
    #[arg(value_parser = name)]
    old: Name,
    #[arg(value_parser = name)]
    new: Name,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Back up another host as a fileset backs up its own
#[derive(Debug, clap::Args)]
pub struct Clone {
    #[arg(value_parser = name)]
    fileset: Name,
    #[arg(value_parser = name)]
    new: Name,
    /// The source host of the new one
    #[arg(long)]
    host: String,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Back up a fileset no more; its snapshots, its key and its history stay
#[derive(Debug, clap::Args)]
pub struct Remove {
    #[arg(value_parser = name)]
    fileset: Name,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Why there is no change.
enum Trouble {
    /// That has been said already.
    Said(Exit),
    Change(Error),
    Print(std::io::Error),
}

impl From<Exit> for Trouble {
    fn from(exit: Exit) -> Self {
        Self::Said(exit)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Change(error)
    }
}

impl Rename {
    pub fn run(self, world: &World) -> Result<Exit> {
        let Self { old, new, dry_run } = self;
        let command = format!("planb rename {old} {new}");
        let filesets = [old.clone(), new.clone()];
        change(world, &command, &filesets, dry_run, |hands, configuration| {
            let old = world::one(configuration, &old.to_string())?;
            Ok(change::rename(hands, configuration, old, &new, command.clone())?)
        })
    }
}

impl Clone {
    pub fn run(self, world: &World) -> Result<Exit> {
        let Self { fileset, new, host, dry_run } = self;
        let command = format!("planb clone {fileset} {new} --host {host}");
        change(world, &command, std::slice::from_ref(&new), dry_run, |hands, configuration| {
            let like = world::one(configuration, &fileset.to_string())?;
            Ok(change::clone(hands, configuration, like, &new, &host, command.clone())?)
        })
    }
}

impl Remove {
    pub fn run(self, world: &World) -> Result<Exit> {
        let Self { fileset: name, dry_run } = self;
        let command = format!("planb remove {name}");
        change(world, &command, std::slice::from_ref(&name), dry_run, |hands, configuration| {
            let fileset = match configuration.invalid(name.as_str()) {
                // What is wrong can go as well.
                Some(_) => None,
                None => Some(world::one(configuration, &name.to_string())?),
            };
            Ok(change::remove(hands, &name, fileset, command.clone()))
        })
    }
}

/// Makes the plan, or finds that of the same command that was interrupted, and shows it or carries it out.
fn change(
    world: &World,
    command: &str,
    filesets: &[Name],
    dry_run: bool,
    plan: impl FnOnce(Hands<'_>, &Configuration) -> Result<Plan, Trouble>,
) -> Result<Exit> {
    let paths = &world.paths;
    let configuration = config::load(paths, world.user);
    world.log(configuration.settings.log, &[]);
    if !dry_run && !paths.is_rooted() && !world.is_root("change filesets") {
        return Ok(Exit::Failed);
    }
    let stop = Stop::new()?;
    let hands = Hands { paths, user: world.user, now: world.clock.now(), stop: &stop };
    let changed = || -> Result<(), Trouble> {
        // Before the plan: what that is made from stays so until it is carried out.
        let _taken = if dry_run { None } else { Some(change::take(paths, filesets)?) };
        let plan = match change::begun(paths, command)? {
            Some(plan) => {
                say(format_args!("planb: `{command}` was interrupted, and goes on"));
                plan
            }
            None => plan(hands, &configuration)?,
        };
        if dry_run { show(&plan) } else { carry_out(hands, &plan) }
    };
    match changed() {
        Ok(()) if !dry_run && world.has_units() => Reload::now(world).map(|()| Exit::Done),
        Ok(()) => Ok(Exit::Done),
        Err(Trouble::Said(exit)) => Ok(exit),
        Err(Trouble::Change(error)) => Ok(told(&error)),
        Err(Trouble::Print(error)) => Err(error.into()),
    }
}

fn show(plan: &Plan) -> Result<(), Trouble> {
    let mut text = String::new();
    for step in &plan.steps {
        let _ = writeln!(text, "would {}", step.words().0);
    }
    out::print(&(text + &notes(plan))).map_err(Trouble::Print)
}

fn carry_out(hands: Hands<'_>, plan: &Plan) -> Result<(), Trouble> {
    // Whoever no longer reads what is printed must not leave the change half done.
    let mut printed = Ok(());
    let mut print = |text: &str| {
        if printed.is_ok() {
            printed = out::print(text);
        }
    };
    change::carry_out(hands, plan, |step| print(&format!("{}\n", step.words().1)))?;
    print(&notes(plan));
    printed.map_err(Trouble::Print)
}

fn notes(plan: &Plan) -> String {
    plan.notes.iter().flat_map(|note| [note, "\n"]).collect()
}

fn told(error: &Error) -> Exit {
    match error {
        Error::Invalid(found) => found.iter().for_each(say),
        error => say(format_args!("planb: {}", chain(error))),
    }
    match error {
        Error::Refused(_)
        | Error::Invalid(_)
        | Error::Storage(storage::Error::Taken { .. } | storage::Error::Mounted { .. }) => Exit::Usage,
        Error::Busy(Refused::Busy { .. }) | Error::Changing => Exit::Busy,
        _ => Exit::Failed,
    }
}
