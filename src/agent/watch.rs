//! What changes on the disk, without looking again and again: inotify(7).

use crate::host::paths::Paths;
use crate::host::signals::Stop;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What the run of that fileset says of itself.
    Live(String),
    /// Anything else about that fileset.
    Fileset(String),
    Configuration,
    /// Too much at once to say.
    Everything,
}

/// What a directory tells by what changes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Live,
    /// `NAME.json`.
    Records,
    /// `NAME`.
    Retries,
    DropIns,
    /// The others appear in it, and planb.toml.
    Parent,
}

#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    wanted: Vec<(PathBuf, Kind)>,
    watched: HashMap<WatchDescriptor, (PathBuf, Kind)>,
}

const EVENTS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_ONLYDIR);

impl Watch {
    pub fn new(paths: &Paths) -> io::Result<Self> {
        let mut wanted = vec![
            (paths.runtime(), Kind::Parent),
            (paths.state(), Kind::Parent),
            (paths.runtime_dir("live"), Kind::Live),
            (paths.last_runs(), Kind::Records),
            (paths.runtime_dir("retry"), Kind::Retries),
        ];
        for drop_ins in paths.drop_ins() {
            wanted.extend(drop_ins.parent().map(|parent| (parent.to_owned(), Kind::Parent)));
            wanted.push((drop_ins, Kind::DropIns));
        }
        wanted.sort_by(|one, other| one.0.cmp(&other.0));
        wanted.dedup_by(|one, other| one.0 == other.0);
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let mut watch = Self { inotify, wanted, watched: HashMap::new() };
        watch.refresh();
        Ok(watch)
    }

    /// Watches what is there and not watched yet. Returns whether there was anything.
    fn refresh(&mut self) -> bool {
        let before = self.watched.len();
        for (path, kind) in &self.wanted {
            if !self.watched.values().any(|(watched, _)| watched == path)
                // Missing ones appear in their parents.
                && let Ok(descriptor) = self.inotify.add_watch(path, EVENTS)
            {
                self.watched.insert(descriptor, (path.clone(), *kind));
            }
        }
        self.watched.len() > before
    }

    /// Waits until something changes, one of these is wished, or the time is over.
    pub fn wait(&self, stops: &[&Stop], at_most: Duration) {
        let mut fds = vec![PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
        fds.extend(stops.iter().map(|stop| PollFd::new(stop.as_fd(), PollFlags::POLLIN)));
        // Rounded up: a poll of 0 ms before its time would be one of many.
        let at_most = at_most + Duration::from_millis(1);
        let _ = poll(&mut fds, PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX));
    }

    /// What has changed since the last time.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut appeared = false;
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    changes.push(Change::Everything);
                    continue;
                }
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    // The directory itself is gone.
                    self.watched.remove(&event.wd);
                    changes.push(Change::Everything);
                    appeared = true;
                    continue;
                }
                let Some((_, kind)) = self.watched.get(&event.wd) else { continue };
                appeared |= *kind == Kind::Parent;
                changes.extend(event.name.as_deref().and_then(|name| change(*kind, name)));
            }
        }
        if appeared && self.refresh() {
            // What came before the watch was there told nobody.
            changes.push(Change::Everything);
        }
        changes
    }
}

fn change(kind: Kind, name: &OsStr) -> Option<Change> {
    let text = name.to_str()?;
    match kind {
        Kind::Live => text.strip_suffix(".json").map(|name| Change::Live(name.into())),
        Kind::Records => text.strip_suffix(".json").map(|name| Change::Fileset(name.into())),
        Kind::Retries => Some(Change::Fileset(text.into())),
        Kind::DropIns => Some(Change::Configuration),
        Kind::Parent => (text == "planb.toml" || text == "conf.d").then_some(Change::Configuration),
    }
}
