//! The agent: what the bus sees of the backups, and how somebody on the bus starts and stops them.
//!
//! It owns nothing. Records, snapshots, the live state and systemd's units are the truth; this reads them, tells what changed,
//! and asks systemd to start what systemd runs. It may be killed at any moment and nothing is lost but the view.

mod escape;
mod fileset;
mod manager;
mod objects;
mod polkit;
mod record;
mod shown;
mod told;
mod view;
mod watch;

use crate::config::{self, Configuration};
use crate::host::clock::Clock;
use crate::host::paths::Paths;
use crate::host::signals::Stop;
use crate::host::status;
use nix::unistd::Uid;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use view::View;
use watch::Watch;
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, MessageIterator};

/// The name on the bus.
const NAME: &str = "org.planb.PlanB1";
/// The object of all, and the path above those of the filesets.
const ROOT: &str = "/org/planb/PlanB1";

/// How long at most nothing is looked at: the watchdog of the unit wants to hear of us twice as often as it waits.
const REST: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to talk to the bus")]
    Bus(#[from] zbus::Error),
    #[error("the bus is gone")]
    Gone,
    #[error("failed to watch the records of runs")]
    Watch(#[from] std::io::Error),
}

/// What the answers to calls are made from.
struct Common {
    paths: Paths,
    clock: Clock,
    user: Uid,
    configuration: Shared<Arc<Configuration>>,
}

impl Common {
    fn configuration(&self) -> Arc<Configuration> {
        self.configuration.get()
    }

    /// Reads the configuration again.
    fn load(&self) {
        self.configuration.set(Arc::new(config::load(&self.paths, self.user)));
    }
}

/// A value that calls read while the view writes it. Neither waits for the other: an answer may take as long as a person
/// needs for a password.
#[derive(Debug, Default)]
struct Shared<T>(RwLock<T>);

impl<T: Clone> Shared<T> {
    fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    fn get(&self) -> T {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }

    fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// A part of it.
    fn part<P>(&self, part: impl FnOnce(&T) -> P) -> P {
        part(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Serves the bus until somebody wants us to stop, or the bus is gone.
pub fn serve(paths: &Paths, clock: Clock, user: Uid, stop: &Stop) -> Result<(), Error> {
    let configuration = Shared::new(Arc::new(config::load(paths, user)));
    let common = Arc::new(Common { paths: paths.clone(), clock, user, configuration });
    // Before the first look: what changes meanwhile is looked at again.
    let mut watch = Watch::new(paths)?;
    let bus = Builder::system()?.build()?;
    let gone = Stop::new()?;
    notice_its_end(&bus, &gone);
    let mut view = View::new(&common, &bus)?;
    // Who waits for the name finds everything in its place.
    bus.request_name(NAME)?;
    log::info!("{} filesets are on the bus as {NAME}", view.len());
    while !stop.wished() {
        if gone.wished() {
            return Err(Error::Gone);
        }
        view.note(watch.changes());
        let next = view.tell()?;
        status::alive();
        watch.wait(&[stop, &gone], next.min(REST));
    }
    Ok(())
}

/// Wishes `gone` to stop when the connection ends. Its messages end then, and nothing else tells.
fn notice_its_end(bus: &Connection, gone: &Stop) {
    let (messages, gone) = (MessageIterator::from(bus), gone.clone());
    std::thread::spawn(move || {
        messages.for_each(drop);
        gone.wish();
    });
}
