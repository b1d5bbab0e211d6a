//! `planb open`, `planb close` and `planb shell`: backups for people to look at, where a dataset is mounted for its runs
//! alone.

use super::exit::Exit;
use super::world::{self, World};
use super::{out, say};
use crate::config::Fileset;
use crate::host::presence::Presence;
use crate::host::process;
use crate::report::table::minute;
use crate::run::claim::{self, Refused};
use crate::run::visit::Visit;
use crate::storage::{Errand, Shut, Storage, User};
use anyhow::{Context, Result};

/// Open a fileset's backups for people, until they are closed
#[derive(Debug, clap::Args)]
pub struct Open {
    fileset: String,
}

/// Close what was opened
#[derive(Debug, clap::Args)]
pub struct Close {
    fileset: String,
}

/// Start a shell in a fileset's snapshots; they are open for as long as it lasts
#[derive(Debug, clap::Args)]
pub struct Shell {
    fileset: String,
}

impl Open {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let fileset = match world::one(&configuration, &self.fileset) {
            Ok(fileset) => fileset,
            Err(exit) => return Ok(exit),
        };
        let storage = storage(world, fileset);
        let visit = begin(world, fileset, &storage, user(world, Errand::Open, None))?;
        out::print(&format!("{}\n", visit.stay().display()))?;
        Ok(Exit::Done)
    }
}

impl Close {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let fileset = match world::one(&configuration, &self.fileset) {
            Ok(fileset) => fileset,
            Err(exit) => return Ok(exit),
        };
        let name = &fileset.name;
        // Nothing is closed under a run, nor under what a killed one left behind.
        let _claim = match claim::take(&world.paths, name) {
            Ok(claim) => claim,
            Err(refused @ Refused::Busy { .. }) => {
                say(format_args!("planb: {refused}; nothing was closed"));
                return Ok(Exit::Busy);
            }
            Err(refused) => return Err(refused.into()),
        };
        let storage = storage(world, fileset);
        match storage.shut(&fileset.dataset).with_context(|| format!("failed to close {name}"))? {
            Shut::Closed => {}
            Shut::WasClosed => say(format_args!("planb: {name} is not open")),
            Shut::NeverClosed => {
                say(format_args!("planb: {name} is in a storage whose datasets are always open"));
            }
            Shut::ByOtherHands => say(format_args!(
                "planb: {name} was mounted by other hands than planb's, and stays so: zfs unmount closes it"
            )),
            Shut::InUse(users) => {
                let users = users.iter().map(|user| told(fileset, user)).collect::<Vec<_>>().join(", ");
                say(format_args!("planb: {name} is in use, nothing was closed: {users}"));
                return Ok(Exit::Busy);
            }
        }
        Ok(Exit::Done)
    }
}

impl Shell {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let fileset = match world::one(&configuration, &self.fileset) {
            Ok(fileset) => fileset,
            Err(exit) => return Ok(exit),
        };
        // A terminal's Ctrl-C and hangup are for the shell. We end when it does.
        let _deaf = world::stop()?;
        let name = &fileset.name;
        let storage = storage(world, fileset);
        let visit = begin(world, fileset, &storage, user(world, Errand::Look, Presence::own()))?;
        say(format_args!(
            "planb: the snapshots of {name} are the directories here, with the files of each below NAME/data; exit closes them"
        ));
        let shell = World::shell();
        let ended = process::converse(&shell, visit.path(), &[("PLANB_FILESET", name.as_str())]);
        visit.end().with_context(|| format!("failed to close {name}"))?;
        ended?;
        Ok(Exit::Done)
    }
}

fn storage(world: &World, fileset: &Fileset) -> Storage {
    Storage::new(&fileset.storage.settings, &world.paths)
}

fn begin<'a>(world: &World, fileset: &'a Fileset, storage: &'a Storage, user: User) -> Result<Visit<'a>> {
    Visit::begin(&world.paths, fileset, storage, user, &world::stop()?)
        .with_context(|| format!("failed to open {}", fileset.name))
}

fn user(world: &World, errand: Errand, process: Option<Presence>) -> User {
    User { errand, who: World::person(), since: Some(world.clock.now()), process }
}

/// `root, with a shell since 2026-01-02 03:04 (process 123)`
fn told(fileset: &Fileset, user: &User) -> String {
    let what = match user.errand {
        Errand::Run => "a backup",
        Errand::Look => "with a shell",
        Errand::Open => "opened it",
    };
    let who = if user.who.is_empty() { String::new() } else { format!("{}, ", user.who) };
    let since = user.since.map(|at| format!(" since {}", minute(fileset.timezone.show(at))));
    let process = user.process.map(|process| format!(" (process {})", process.pid));
    format!("{who}{what}{}{}", since.unwrap_or_default(), process.unwrap_or_default())
}
