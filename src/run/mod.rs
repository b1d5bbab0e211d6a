//! The story of one backup. The only room that sees storages and transports both.
//!
//! claim → gate → slot → open → transfer → guard → snapshot → prune → close → record → hooks. A snapshot exists only
//! if the transfer succeeded and the guard agreed; a run that made none destroys none; success is what can be seen
//! afterwards, never what was meant.

pub mod announce;
pub mod asked;
pub mod attempt;
pub mod carry;
pub mod claim;
pub mod connect;
pub mod ending;
pub mod gate;
pub mod guard;
pub mod live;
pub mod many;
mod own;
pub mod rehearsal;
pub mod replica;
pub mod retry;
pub mod settle;
pub mod slot;
pub mod tell;
pub mod unfinished;
pub mod visit;

use crate::config::{Fileset, Log};
use crate::fileset::progress::Progress;
use crate::fileset::record::{Record, Trigger};
use crate::fileset::snapshot::Label;
use crate::host::clock::Clock;
use crate::host::paths::Paths;
use crate::host::presence::Presence;
use crate::host::signals::Stop;
use crate::storage::Storage;
use carry::Carrier;
use claim::Refused;
use live::{Live, Phase, Teller};
use slot::Slots;
use std::time::Duration;
use time::OffsetDateTime;

/// What all runs on this host share.
#[derive(Debug)]
pub struct Host<'a> {
    pub paths: &'a Paths,
    pub slots: &'a Slots,
    pub stop: &'a Stop,
    pub clock: Clock,
    pub carrier: Carrier,
    /// Where the configuration wants events to be logged to; whoever works for a run logs there as well.
    pub log: Option<Log>,
}

/// One wish for a run.
#[derive(Debug, Clone)]
pub struct Request {
    /// systemd's `INVOCATION_ID`, or a fresh one: 32 hexadecimal digits.
    pub id: String,
    pub trigger: Trigger,
    /// The snapshot is to be called so, and retention shall never destroy it.
    pub keep: Option<Label>,
    /// The guard is asked to let a shrunk source pass, this once.
    pub accept_shrink: bool,
    /// How long to wait for a slot.
    pub patience: Patience,
}

/// How long a run waits for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Not at all: the run is refused as busy.
    None,
    /// At most so long, then it is deferred.
    For(Duration),
}

/// What can be seen of a run from outside while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// All slots are taken; it waits for one until then.
    Queued {
        until: OffsetDateTime,
    },
    /// It may take until then.
    Transferring {
        until: OffsetDateTime,
    },
    Progress(&'a Progress),
    Finishing,
    /// A snapshot of this minute is there already.
    NextMinute {
        until: OffsetDateTime,
    },
}

/// How a wish for a run ended.
#[derive(Debug)]
pub enum Answer {
    /// There was a run, and this became of it.
    Ran(Box<Record>),
    /// Every slot is taken and the wish was not to wait.
    NoSlot,
}

/// Backs up one fileset, from the claim to the hooks.
pub fn run(
    host: &Host<'_>,
    fileset: &Fileset,
    request: &Request,
    mut watch: impl FnMut(Event<'_>),
) -> Result<Answer, Refused> {
    let claim = claim::take(host.paths, &fileset.name)?;
    claim.tell(&fileset.name);
    let mut slot = None;
    if request.patience == Patience::None {
        // Before anything is written down: a run that was refused is no run.
        match attempt::slot_at_once(host, fileset) {
            Some(free) => slot = Some(free),
            None => return Ok(Answer::NoSlot),
        }
    }
    let mut record = attempt::begin(host, fileset, request);
    // Before the record: one that is open without a live state is a killed run's to whoever looks.
    let mut teller = tell(host, &record);
    let before = ending::begin(host, fileset, &record);

    let storage = host.carrier.fitting(Storage::new(&fileset.storage.settings, host.paths));
    let surroundings = attempt::Surroundings {
        host,
        fileset,
        request,
        storage: &storage,
        before: before.as_ref(),
        lock: &claim.lock,
    };
    attempt::make(&surroundings, slot, &mut record, &mut |event| {
        if let Some(teller) = &mut teller {
            match &event {
                Event::Queued { .. } => teller.phase(Phase::Queued),
                Event::Transferring { .. } => teller.phase(Phase::Transferring),
                Event::Progress(progress) => teller.progress(**progress),
                Event::Finishing | Event::NextMinute { .. } => teller.phase(Phase::Finishing),
            }
        }
        watch(event);
    });
    let last = ending::end(host, fileset, before.as_ref(), &mut record);
    ending::remind_of_key(host.paths, fileset, before.as_ref(), &record);
    drop(teller);
    // From here on the next run may begin: hooks and the trash can take long, and neither needs the fileset.
    drop(claim);
    // A unit's run has units of their own for these, and is settled by itself.
    if let Carrier::Here = host.carrier {
        ending::tell_hooks(host.paths, &last);
        ending::empty_trash(host, fileset, &storage);
    }
    Ok(Answer::Ran(Box::new(record)))
}

fn tell(host: &Host<'_>, record: &Record) -> Option<Teller> {
    let live = Live {
        id: record.id.clone(),
        fileset: record.fileset.clone(),
        trigger: record.trigger,
        started: record.started,
        process: Presence::own(),
        phase: Phase::Queued,
        progress: None,
    };
    Teller::begin(host.paths, live)
        .inspect_err(|error| log::warn!("{}: its progress cannot be seen: {error}", record.fileset))
        .ok()
}
