//! The objects on the bus, kept as things are.

use super::fileset::{self, Fileset};
use super::manager::{self, Figures, Manager};
use super::objects::{ObjectManager, Objects};
use super::shown::Shown;
use super::told::{self, Told};
use super::watch::Change;
use super::{Common, ROOT, Shared, escape};
use crate::config::{Configuration, Fileset as Configured, Invalid};
use crate::fileset::name::Name;
use crate::run::live::Live;
use crate::status::{Sources, Status, gather};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use zbus::block_on;
use zbus::blocking::Connection;
use zbus::zvariant::{ObjectPath, Value};

/// How often a fileset's changes are told at most.
const PACE: Duration = Duration::from_secs(1);
/// How long the configuration has to be left alone before it is read: who copies a thousand files writes a thousand times.
const CALM: Duration = Duration::from_millis(500);
/// How often runs that go on are looked at although nothing changes: one that was killed says nothing.
const PULSE: Duration = Duration::from_secs(5);
/// How often all snapshots are looked at: one that somebody destroys by hand tells nobody.
const ROUND: Duration = Duration::from_secs(3600);

/// How many filesets are looked at together.
const AT_ONCE: usize = 100;

/// What is known of an object.
struct Known {
    path: Arc<str>,
    /// The object reads it, too.
    shown: Arc<Shared<Arc<Shown>>>,
    run: Option<Told>,
    next_run: Option<OffsetDateTime>,
    told: Instant,
}

/// What has to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Live,
    All,
}

pub struct View {
    common: Arc<Common>,
    manager: Arc<Shared<Figures>>,
    objects: Arc<Shared<Objects>>,
    bus: Connection,
    known: BTreeMap<String, Known>,
    dirty: BTreeMap<String, Look>,
    /// When the configuration changed last, and has not been read since.
    changed: Option<Instant>,
    pulse: Instant,
    round: Instant,
}

impl View {
    /// Puts everything on the bus.
    pub fn new(common: &Arc<Common>, bus: &Connection) -> zbus::Result<Self> {
        let now = Instant::now();
        let mut view = Self {
            common: Arc::clone(common),
            manager: Arc::default(),
            objects: Arc::default(),
            bus: bus.clone(),
            known: BTreeMap::new(),
            dirty: BTreeMap::new(),
            changed: None,
            pulse: now,
            round: now,
        };
        let server = bus.object_server();
        let (common, figures) = (Arc::clone(common), Arc::clone(&view.manager));
        server.at(ROOT, Manager { common, figures })?;
        server.at(ROOT, ObjectManager { objects: Arc::clone(&view.objects) })?;
        view.load()?;
        Ok(view)
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Remembers what has to be looked at.
    pub fn note(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Live(name) => {
                    self.dirty.entry(name).or_insert(Look::Live);
                }
                Change::Fileset(name) => drop(self.dirty.insert(name, Look::All)),
                Change::Configuration => self.changed = Some(Instant::now()),
                Change::Everything => {
                    self.all_dirty();
                    self.changed = Some(Instant::now());
                }
            }
        }
    }

    fn all_dirty(&mut self) {
        self.dirty.extend(self.known.keys().map(|name| (name.clone(), Look::All)));
    }

    /// Looks at what has changed and tells of it. Returns when there is something to do again at the latest.
    pub fn tell(&mut self) -> zbus::Result<Duration> {
        let now = Instant::now();
        if self.changed.is_some_and(|at| at + CALM <= now) {
            self.changed = None;
            self.common.load();
            self.load()?;
        }
        let live = self.known.iter().filter(|(_, known)| known.shown.get().is_live());
        if self.pulse + PULSE <= now {
            let live: Vec<String> = live.map(|(name, _)| name.clone()).collect();
            for name in live {
                self.dirty.entry(name).or_insert(Look::Live);
            }
            self.pulse = now;
        }
        if self.round + ROUND <= now {
            self.all_dirty();
            self.round = now;
        }
        // A start that has come is not the next one any more.
        let clock = self.common.clock.now();
        let begun = self.known.iter().filter(|(_, known)| known.next_run.is_some_and(|at| at < clock));
        let begun: Vec<String> = begun.map(|(name, _)| name.clone()).collect();
        self.dirty.extend(begun.into_iter().map(|name| (name, Look::All)));

        self.look(now)?;
        self.tell_manager()?;
        Ok(self.next(now))
    }

    /// When to come back at the latest.
    fn next(&self, now: Instant) -> Duration {
        let due = self.dirty.keys().filter_map(|name| self.known.get(name)).map(|known| known.told + PACE);
        let mut next: Vec<Instant> = due.chain(self.changed.map(|at| at + CALM)).collect();
        if self.known.values().any(|known| known.shown.get().is_live()) {
            next.push(self.pulse + PULSE);
        }
        let clock = self.common.clock.now();
        let start = self.known.values().filter_map(|known| known.next_run).min();
        let start =
            start.map(|at| (at - clock).try_into().unwrap_or(Duration::ZERO) + Duration::from_millis(10));
        let next = next.into_iter().min().map(|at| at.saturating_duration_since(now));
        [next, start].into_iter().flatten().min().unwrap_or(ROUND)
    }

    /// Looks at the filesets that have changed and were not told of just now.
    fn look(&mut self, now: Instant) -> zbus::Result<()> {
        let due = |name: &String| self.known.get(name).is_none_or(|known| known.told + PACE <= now);
        let due: Vec<(String, Look)> = self
            .dirty
            .iter()
            .filter(|(name, _)| due(name))
            .map(|(name, look)| (name.clone(), *look))
            .collect();
        let mut fully = Vec::new();
        for (name, look) in due {
            self.dirty.remove(&name);
            let Some(known) = self.known.get(&name) else { continue };
            let live = name.parse().ok().and_then(|name: Name| Live::read(&self.common.paths, &name));
            match live {
                // Nothing but the live state has changed.
                Some(live) if look == Look::Live => {
                    let shown = Shown::clone(&known.shown.get()).with(&live);
                    self.show(&name, shown)?;
                }
                _ => fully.push(name),
            }
        }
        let configuration = self.common.configuration();
        let filesets: Vec<&Configured> =
            fully.iter().filter_map(|name| configuration.fileset(name)).collect();
        self.update_all(&configuration, &filesets)
    }

    /// Looks at these filesets, some at a time: of all snapshots of a thousand filesets at once nothing would be shown, and
    /// the memory that they took would stay ours.
    fn update_all(&mut self, configuration: &Configuration, filesets: &[&Configured]) -> zbus::Result<()> {
        let common = Arc::clone(&self.common);
        for some in filesets.chunks(AT_ONCE) {
            let (all, _) = Sources::new(&common.paths, configuration, common.clock.now()).of(some);
            all.iter().try_for_each(|status| self.update(status))?;
        }
        Ok(())
    }

    /// Takes over the configuration as it is now: objects come, change and go.
    fn load(&mut self) -> zbus::Result<()> {
        let configuration = self.common.configuration();
        let wrong = gather::invalid(&configuration);
        let mut gone: Vec<String> = self.known.keys().cloned().collect();
        gone.retain(|name| {
            configuration.fileset(name).is_none() && !wrong.iter().any(|status| status.entry.name == *name)
        });
        for name in gone {
            if let Some(known) = self.known.remove(&name) {
                self.bus.object_server().remove::<Fileset, _>(&*known.path)?;
                let path = ObjectPath::try_from(&*known.path)?;
                self.objects.change(|objects| drop(objects.remove(&known.path)));
                let manager = self.bus.object_server().interface::<_, ObjectManager>(ROOT)?;
                let interfaces = [fileset::INTERFACE];
                block_on(ObjectManager::interfaces_removed(manager.signal_emitter(), path, &interfaces))?;
            }
        }
        wrong.iter().try_for_each(|status| self.update(status))?;
        let filesets: Vec<&Configured> = configuration.filesets.iter().collect();
        self.update_all(&configuration, &filesets)?;
        let before = self.manager.get();
        let (slots, invalid) = (configuration.settings.slots.into(), invalid(&configuration));
        self.show_figures(Figures { slots, invalid, ..before })
    }

    fn tell_manager(&self) -> zbus::Result<()> {
        let running = self.known.values().filter(|known| known.shown.get().state == "running").count();
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        let before = self.manager.get();
        if before.running == running { Ok(()) } else { self.show_figures(Figures { running, ..before }) }
    }

    fn show_figures(&self, figures: Figures) -> zbus::Result<()> {
        let changes = self.manager.get().changes(&figures);
        self.manager.set(figures);
        self.changed(ROOT, manager::INTERFACE, &changes)
    }

    /// Takes over what is known of a fileset, and tells of runs that began or ended.
    fn update(&mut self, status: &Status) -> zbus::Result<()> {
        let name = &status.entry.name;
        let live = name.parse().ok().and_then(|name: Name| Live::read(&self.common.paths, &name));
        let shown = Shown::new(&status.entry, live.as_ref());
        if !self.known.contains_key(name) {
            let path: Arc<str> = escape::path(name).into();
            let shown = Arc::new(Shared::new(Arc::new(shown)));
            let object = Fileset { common: Arc::clone(&self.common), shown: Arc::clone(&shown) };
            self.bus.object_server().at(&*path, object)?;
            let object = ObjectPath::try_from(&*path)?;
            self.objects.change(|objects| drop(objects.insert(Arc::clone(&path), Arc::clone(&shown))));
            let manager = self.bus.object_server().interface::<_, ObjectManager>(ROOT)?;
            let shown_now = shown.get();
            let interfaces = HashMap::from([(fileset::INTERFACE, shown_now.properties())]);
            block_on(ObjectManager::interfaces_added(manager.signal_emitter(), object, interfaces))?;
            let run = status.run.as_ref().map(Told::of);
            let (next_run, told) = (status.entry.next_run, Instant::now());
            self.known.insert(name.clone(), Known { path, shown, run, next_run, told });
            return Ok(());
        }
        self.show(name, shown)?;
        let Some(known) = self.known.get_mut(name) else { return Ok(()) };
        known.next_run = status.entry.next_run;
        let before = std::mem::replace(&mut known.run, status.run.as_ref().map(Told::of));
        let path = Arc::clone(&known.path);
        told::tell(&self.common, &self.bus, &path, before.as_ref(), status.run.as_ref())
    }

    /// Shows the fileset so, and tells what is different.
    fn show(&mut self, name: &str, shown: Shown) -> zbus::Result<()> {
        let Some(known) = self.known.get_mut(name) else { return Ok(()) };
        let changes = known.shown.get().changes(&shown);
        if changes.is_empty() {
            return Ok(());
        }
        known.shown.set(Arc::new(shown));
        known.told = Instant::now();
        let path = Arc::clone(&known.path);
        self.changed(&path, fileset::INTERFACE, &changes)
    }

    /// One signal for all that changed of an object.
    fn changed(&self, path: &str, interface: &str, changes: &HashMap<&str, Value<'_>>) -> zbus::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let none: [&str; 0] = [];
        self.bus.emit_signal(
            None::<&str>,
            path,
            "org.freedesktop.DBus.Properties",
            "PropertiesChanged",
            &(interface, changes, &none[..]),
        )
    }
}

/// Each file that is wrong, with what is.
fn invalid(configuration: &Configuration) -> Vec<(String, String)> {
    let of = |invalid: &Invalid| {
        let first = invalid.diagnostics.first().map(ToString::to_string).unwrap_or_default();
        let first = first.lines().next().unwrap_or_default().to_owned();
        (invalid.file.to_string_lossy().into_owned(), first)
    };
    configuration.invalid.iter().map(of).collect()
}
