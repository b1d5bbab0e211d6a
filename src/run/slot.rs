//! Slots: how many transfers go on at the same time, on this host and from one source.
//!
//! A slot is a lock, so a dead run holds none. Who waits holds a ticket, which is a lock too; the tickets' names sort by
//! the time of the last success, so whoever has gone without a backup the longest goes first. Nobody waits behind a run
//! that itself waits only for its source. All looking and taking is done under one short lock, the desk.

use crate::fileset::name::Name;
use crate::host::lock::{self, Lock};
use crate::host::signals::Stop;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// How long a waiting run relies on being told. The kernel tells when a slot's file is closed, which for a killed run is
/// an instant before its lock is free.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Where slots are handed out, and how many there are.
#[derive(Debug, Clone)]
pub struct Slots {
    directory: PathBuf,
    /// Transfers at the same time on this host.
    pub host: usize,
    /// Transfers at the same time from one source.
    pub per_source: usize,
}

/// A place among the running transfers; dropping it gives it back.
#[derive(Debug)]
pub struct Slot {
    _host: Lock,
    _source: Option<Lock>,
}

/// Who wants a slot.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub fileset: &'a Name,
    /// The source's host, absent for a path of this machine.
    pub source: Option<&'a str>,
    pub last_success: Option<OffsetDateTime>,
}

/// How waiting for a slot ended.
#[derive(Debug)]
pub enum Waited {
    Got(Slot),
    /// The patience was over.
    TimedOut,
    /// Somebody wished us to stop.
    Stopped,
}

impl Slots {
    pub fn new(directory: PathBuf, host: usize, per_source: usize) -> Self {
        Self { directory, host, per_source }
    }

    /// Waits for a slot until `until`, calling `on_wait` once if there is none at first.
    pub fn wait(
        &self,
        claim: Claim<'_>,
        stop: &Stop,
        until: Instant,
        mut on_wait: impl FnMut(),
    ) -> io::Result<Waited> {
        let queue = self.directory.join("queue");
        lock::directory(&queue)?;
        lock::directory(&self.pool(None))?;
        lock::directory(&self.pool(claim.source))?;
        // Watched before the first look, so that no release falls between the two.
        let changes = watch(&[&queue, &self.pool(None), &self.pool(claim.source)]);
        let ticket = self.queue_up(&queue, claim)?;
        let mut told = false;
        loop {
            if let Some(slot) = self.try_take(&queue, claim, &ticket)? {
                return Ok(Waited::Got(slot));
            }
            if !told {
                on_wait();
                told = true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Waited::TimedOut);
            }
            let mut fds = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
            fds.extend(changes.as_ref().map(|changes| PollFd::new(changes.as_fd(), PollFlags::POLLIN)));
            let patience = PollTimeout::try_from(left.min(LOOK_AGAIN)).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut fds, patience);
            if stop.wished() {
                return Ok(Waited::Stopped);
            }
            while changes.as_ref().is_some_and(|changes| changes.read_events().is_ok()) {}
        }
    }

    fn queue_up(&self, queue: &Path, claim: Claim<'_>) -> io::Result<Ticket> {
        let waiting_since = claim.last_success.map_or(0, |at| at.unix_timestamp().max(0));
        let path = queue.join(format!("{waiting_since:020}.{}", claim.fileset));
        let _desk = self.desk()?;
        let lock = Lock::take(&path)?;
        fs::write(&path, claim.source.unwrap_or_default())?;
        Ok(Ticket(Some(lock)))
    }

    /// Takes a slot if one is left when all who come first and could go have had theirs.
    fn try_take(&self, queue: &Path, claim: Claim<'_>, own: &Ticket) -> io::Result<Option<Slot>> {
        let _desk = self.desk()?;
        let mut host_left = free(&self.pool(None), self.host)?.len();
        let mut sources_left: HashMap<String, usize> = HashMap::new();
        let mut tickets: Vec<PathBuf> =
            fs::read_dir(queue)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        tickets.sort();
        for ticket in tickets {
            if own.is(&ticket) {
                return if host_left > 0 { self.take(claim.source) } else { Ok(None) };
            }
            if lock::is_free(&ticket)? {
                // Its run was killed while it waited.
                let _ = fs::remove_file(&ticket);
                continue;
            }
            let source = fs::read_to_string(&ticket)?;
            if host_left == 0 {
                return Ok(None);
            }
            if source.is_empty() {
                host_left -= 1;
                continue;
            }
            let left = match sources_left.entry(source) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let left = free(&self.pool(Some(new.key())), self.per_source)?.len();
                    new.insert(left)
                }
            };
            if *left > 0 {
                *left -= 1;
                host_left -= 1;
            }
        }
        Ok(None)
    }

    /// Takes a slot of the host and one of the source, if both are there.
    fn take(&self, source: Option<&str>) -> io::Result<Option<Slot>> {
        let from_source = match source {
            None => None,
            Some(_) => match free(&self.pool(source), self.per_source)?.first() {
                Some(path) => Lock::try_take(path)?,
                None => return Ok(None),
            },
        };
        let Some(path) = free(&self.pool(None), self.host)?.into_iter().next() else { return Ok(None) };
        let host = Lock::try_take(&path)?;
        // Nobody else can have taken them: we are at the desk.
        Ok(host.map(|host| Slot { _host: host, _source: from_source }))
    }

    fn pool(&self, source: Option<&str>) -> PathBuf {
        match source {
            None => self.directory.join("slots"),
            Some(host) => self.directory.join("sources").join(host),
        }
    }

    fn desk(&self) -> io::Result<Lock> {
        Lock::take(&self.directory.join("queue.lock"))
    }
}

/// Tells when something in these directories is closed or goes away. There are few such watches for one user
/// (`fs.inotify.max_user_instances`, 128): who gets none looks again by itself.
fn watch(directories: &[&Path]) -> Option<Inotify> {
    let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
    for directory in directories {
        changes.add_watch(*directory, AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_DELETE).ok()?;
    }
    Some(changes)
}

/// The free slots of a pool of `size`: the files to lock. Slots that were taken when the pool was larger still count.
fn free(pool: &Path, size: usize) -> io::Result<Vec<PathBuf>> {
    let taken = |path: &Path| lock::is_free(path).map(|free| !free);
    let mut free = Vec::new();
    for number in 0..size {
        let path = pool.join(number.to_string());
        if !taken(&path)? {
            free.push(path);
        }
    }
    let mut beyond = 0;
    for entry in fs::read_dir(pool).into_iter().flatten() {
        let path = entry?.path();
        let number = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<usize>().ok());
        if number.is_some_and(|n| n >= size) && taken(&path)? {
            beyond += 1;
        }
    }
    free.truncate(free.len().saturating_sub(beyond));
    Ok(free)
}

/// A place in the queue; its file is gone when the wait is over.
struct Ticket(Option<Lock>);

impl Ticket {
    fn is(&self, path: &Path) -> bool {
        self.0.as_ref().is_some_and(|lock| lock.path() == path)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(lock) = self.0.take() {
            let _ = lock.remove();
        }
    }
}

#[cfg(test)]
mod tests;
