//! One attempt, between its begin and its end: what may end it early is an error with the outcome it stands for.

use super::slot::{self, Slot, Waited};
use super::{Event, Host, Patience, Request, carry, gate, guard, own, replica, tell};
use crate::config::Fileset;
use crate::fileset::progress::Totals;
use crate::fileset::quantity::Span;
use crate::fileset::reason::chain;
use crate::fileset::record::{Outcome, Record};
use crate::fileset::retention::Plan;
use crate::fileset::snapshot::{Automatic, Kept, Snapshot};
use crate::history::Last;
use crate::host::events;
use crate::host::lock::Lock;
use crate::keys::Keys;
use crate::storage::{self, Leftover, Open, SnapshotName, Storage};
use crate::transport::{self, Transport, Verdict};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// All that an attempt may look at.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    pub host: &'a Host<'a>,
    pub fileset: &'a Fileset,
    pub request: &'a Request,
    pub storage: &'a Storage,
    pub before: Option<&'a Last>,
    /// The fileset's: whatever writes into the workspace shares it.
    pub lock: &'a Lock,
}

/// What ends an attempt before its snapshot is listed.
#[derive(Debug)]
pub struct Cut {
    pub outcome: Outcome,
    pub reason: String,
    pub exit_code: Option<i32>,
}

impl Cut {
    pub fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), exit_code: None }
    }

    pub fn interrupted() -> Self {
        Self::new(Outcome::Interrupted, "stopped on request")
    }
}

impl From<transport::Failure> for Cut {
    fn from(failure: transport::Failure) -> Self {
        let outcome = match failure.verdict {
            Verdict::Deferred => Outcome::Deferred,
            Verdict::Failed => Outcome::Failure,
            Verdict::TimedOut => Outcome::Timeout,
            Verdict::Interrupted => Outcome::Interrupted,
        };
        Self { outcome, reason: failure.reason, exit_code: failure.exit_code }
    }
}

impl From<storage::Error> for Cut {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Stopped => Self::interrupted(),
            error => Self::new(Outcome::Failure, chain(&error)),
        }
    }
}

/// The record of a run that begins now.
pub fn begin(host: &Host<'_>, fileset: &Fileset, request: &Request) -> Record {
    Record {
        id: request.id.clone(),
        fileset: fileset.name.clone(),
        group: fileset.group.clone(),
        tags: fileset.tags.clone(),
        trigger: request.trigger,
        started: host.clock.now(),
        finished: None,
        result: None,
        error: None,
        exit_code: None,
        snapshot: None,
        dataset: fileset.dataset.clone(),
        path: None,
        transferred: None,
        destroyed: Vec::new(),
    }
}

/// Makes the attempt and writes into the record what became of it.
pub fn make(s: &Surroundings<'_>, slot: Option<Slot>, record: &mut Record, watch: &mut dyn FnMut(Event<'_>)) {
    match attempt(s, slot, record, watch) {
        Ok(()) => record.result = Some(Outcome::Success),
        Err(cut) => {
            record.result = Some(cut.outcome);
            record.error = Some(cut.reason);
            record.exit_code = cut.exit_code.or(record.exit_code);
        }
    }
}

fn attempt(
    s: &Surroundings<'_>,
    slot: Option<Slot>,
    record: &mut Record,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<(), Cut> {
    let name = &s.fileset.name;
    gate::unchanging(s.host.paths, name).map_err(|closed| Cut::new(Outcome::Failure, closed.to_string()))?;
    gate::hours(s.fileset, s.request.trigger, s.host.clock.now())
        .map_err(|closed| Cut::new(Outcome::Deferred, closed.to_string()))?;
    let slot = match slot {
        Some(slot) => slot,
        None => wait_for_slot(s, watch)?,
    };
    gate::room(s.fileset, s.storage.space(&s.fileset.dataset)?)
        .map_err(|closed| refused(record, closed.to_string()))?;

    let (snapshot, path) = match &s.fileset.transport {
        Transport::Zfs(settings) => replica::make(s, settings, slot, record, watch)?,
        Transport::Rsync(_) | Transport::Exec(_) => filled(s, slot, record, watch)?,
    };
    let listed = s.storage.snapshots(&s.fileset.dataset)?;
    if !listed.iter().any(|there| there.name == snapshot) {
        return Err(Cut::new(Outcome::Failure, format!("{snapshot} was made and is not listed")));
    }
    record.snapshot = Some(snapshot.to_string());
    record.path = Some(path);

    // The backup is made. What goes wrong from here on is said, and takes nothing of that back.
    match prune(s, &listed, &snapshot) {
        Ok(destroyed) => record.destroyed = destroyed.iter().map(ToString::to_string).collect(),
        Err(why) => record.error = Some(format!("retention: {why}")),
    }
    Ok(())
}

/// Fills the workspace and makes a snapshot of it: its name, and where its files are.
fn filled(
    s: &Surroundings<'_>,
    slot: Slot,
    record: &mut Record,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<Made, Cut> {
    let name = &s.fileset.name;
    let keys = s.fileset.encryption.as_ref().map(|source| Keys::new(s.host.paths, name, source));
    let open = s.storage.open(&s.fileset.dataset, name, keys.as_ref(), s.host.stop)?;
    match open.leftover() {
        Leftover::None => {}
        Leftover::Resumed => log::info!("{name}: going on with what an unfinished run transferred"),
        Leftover::Discarded(why) => {
            log::warn!("{name}: what an unfinished run transferred cannot be used: {}", chain(&**why));
        }
    }
    watch(Event::Transferring { until: s.host.clock.now() + s.fileset.timeout.duration() });
    let there = if s.fileset.transport.makes_snapshots() {
        Some(s.storage.snapshots(&s.fileset.dataset)?)
    } else {
        None
    };
    let transferred = carry::transfer(s, open.workspace(), watch).map_err(|cut| own::explained(s, cut))?;
    record.transferred = Some(transferred);
    record.exit_code = Some(0);
    drop(slot);

    watch(Event::Finishing);
    if let Some(totals) = transferred.totals {
        guarded(s, record, totals)?;
    }
    match there {
        Some(before) => {
            drop(open);
            own::made(s, &before)
        }
        None => made(s, open, watch),
    }
}

/// Asks the guard about what the source holds now.
pub(super) fn guarded(s: &Surroundings<'_>, record: &Record, totals: Totals) -> Result<(), Cut> {
    let name = &s.fileset.name;
    if s.request.accept_shrink {
        log::info!("{name}: max-shrink is not asked, this once");
    } else if let (Some(limit), Some(before)) = (s.fileset.guard.max_shrink, s.before.and_then(last_totals)) {
        guard::shrink(name.as_str(), before, totals, limit)
            .map_err(|shrunk| refused(record, shrunk.to_string()))?;
    }
    Ok(())
}

/// Makes the snapshot of what came.
fn made(s: &Surroundings<'_>, open: Open, watch: &mut dyn FnMut(Event<'_>)) -> Result<Made, Cut> {
    let taken = s.storage.snapshots(&s.fileset.dataset)?;
    let snapshot = free_name(s, watch, |name| taken.iter().any(|there| there.name == *name))?;
    if s.host.stop.wished() {
        return Err(Cut::interrupted());
    }
    let path = open.snapshot(&snapshot)?;
    Ok((snapshot, path))
}

/// The name of a snapshot, and where its files are.
pub(super) type Made = (SnapshotName, PathBuf);

/// The guard, before the transfer or after it, would not have it.
fn refused(record: &Record, why: String) -> Cut {
    let text = format_args!("{}: {why}", record.fileset);
    tell::event(record, log::Level::Error, events::GUARD_REFUSED, &[], text);
    Cut::new(Outcome::Failure, why)
}

/// A slot, if one is free now.
pub fn slot_at_once(host: &Host<'_>, fileset: &Fileset) -> Option<Slot> {
    let claim = slot::Claim { fileset: &fileset.name, source: fileset.transport.host(), last_success: None };
    match host.slots.wait(claim, host.stop, Instant::now(), || {}) {
        Ok(Waited::Got(slot)) => Some(slot),
        Ok(Waited::TimedOut | Waited::Stopped) => None,
        Err(error) => {
            log::error!("{}: failed to look for a slot: {error}", fileset.name);
            None
        }
    }
}

fn wait_for_slot(s: &Surroundings<'_>, watch: &mut dyn FnMut(Event<'_>)) -> Result<Slot, Cut> {
    let name = &s.fileset.name;
    let last_success = s.before.and_then(|last| last.last_success.as_ref()).map(|success| success.finished);
    let claim = slot::Claim { fileset: name, source: s.fileset.transport.host(), last_success };
    let patience = match s.request.patience {
        Patience::None => Duration::ZERO,
        Patience::For(patience) => patience,
    };
    let waited = s.host.slots.wait(claim, s.host.stop, Instant::now() + patience, || {
        log::info!("{name}: waiting for a slot");
        watch(Event::Queued { until: s.host.clock.now() + patience });
    });
    match waited {
        Ok(Waited::Got(slot)) => Ok(slot),
        Ok(Waited::Stopped) => Err(Cut::interrupted()),
        Ok(Waited::TimedOut) => {
            let (slots, per_source) = (s.host.slots.host, s.host.slots.per_source);
            let waited = Span::from_secs(patience.as_secs());
            let reason =
                format!("no slot came free for {waited} (slots = {slots}, slots-per-source = {per_source})");
            Err(Cut::new(Outcome::Deferred, reason))
        }
        Err(error) => Err(Cut::new(Outcome::Failure, format!("failed to wait for a slot: {error}"))),
    }
}

/// What the source held at the last good run.
pub(super) fn last_totals(last: &Last) -> Option<Totals> {
    last.last_success.as_ref()?.totals
}

/// A name for the snapshot that nothing has yet. Names go by the minute: after a run in this same minute the next one
/// is waited for, because a name that lies about its time would confuse retention for ever.
pub(super) fn free_name(
    s: &Surroundings<'_>,
    watch: &mut dyn FnMut(Event<'_>),
    is_taken: impl Fn(&SnapshotName) -> bool,
) -> Result<SnapshotName, Cut> {
    loop {
        let now = s.host.clock.now();
        let name = name_at(s.request, now);
        if !is_taken(&name) {
            return Ok(name);
        }
        log::info!("{}: {name} is there already, waiting for the next minute", s.fileset.name);
        watch(Event::NextMinute { until: now + Duration::from_secs(60 - u64::from(now.second())) });
        if wait_for_next_minute(s, now) {
            return Err(Cut::interrupted());
        }
    }
}

/// What the snapshot of a run is called that is made at this moment.
pub(super) fn name_at(request: &Request, now: OffsetDateTime) -> SnapshotName {
    match &request.keep {
        None => SnapshotName::Automatic(Automatic::at(now)),
        Some(label) => SnapshotName::Kept(Kept::at(label.clone(), now)),
    }
}

/// Whether somebody wished to stop meanwhile.
fn wait_for_next_minute(s: &Surroundings<'_>, now: OffsetDateTime) -> bool {
    let left = Duration::from_secs(60 - u64::from(now.second()));
    let mut fds = [PollFd::new(s.host.stop.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
    s.host.stop.wished()
}

/// Destroys what retention does not keep, after a run that made `made`.
///
/// Where a clock once ran ahead, snapshots of the future fill the newest periods, and retention (which asks no clock)
/// would destroy what was made just now. Then nothing is destroyed until a person has looked.
fn prune(
    s: &Surroundings<'_>,
    listed: &[storage::Listed],
    made: &SnapshotName,
) -> Result<Vec<Automatic>, String> {
    let plan = plan(s.fileset, listed);
    if plan.destroy.iter().any(|name| SnapshotName::Automatic(*name) == *made) {
        let latest = listed.iter().map(|there| &there.name).max_by_key(|name| name.time()).unwrap_or(made);
        return Err(format!(
            "{latest} is of the future and {made} would be destroyed at once; nothing was. If the clock is right now, \
             rename or remove the snapshots of the future"
        ));
    }
    destroy(s.fileset, s.storage, &plan).map_err(|error| chain(&error))
}

/// What retention says of the snapshots of a fileset.
pub fn plan(fileset: &Fileset, listed: &[storage::Listed]) -> Plan {
    let snapshots: Vec<Snapshot> = listed.iter().map(|there| there.name.clone().into()).collect();
    fileset.retain.plan(&snapshots, &fileset.timezone)
}

/// Destroys what a plan says. What cannot be destroyed is said and stays.
pub fn destroy(fileset: &Fileset, storage: &Storage, plan: &Plan) -> Result<Vec<Automatic>, storage::Error> {
    if plan.destroy.is_empty() {
        return Ok(Vec::new());
    }
    let done = storage.destroy(&fileset.dataset, &plan.destroy)?;
    for (name, why) in &done.skipped {
        log::warn!("{}: {name} is not destroyed: {why}", fileset.name);
    }
    Ok(done.destroyed)
}
