//! `planb run`: back up now.

use super::exit::Exit;
use super::follow::{self, Wish};
use super::meter::Meter;
use super::world::{self, World};
use super::{out, say, unit};
use crate::config::{Configuration, Fileset};
use crate::fileset::quantity::{Size, counted};
use crate::fileset::record::{Outcome, Record};
use crate::fileset::snapshot::Label;
use crate::history::last;
use crate::run::carry::Carrier;
use crate::run::claim::Refused;
use crate::run::many;
use crate::run::rehearsal::{self, Rehearsed};
use crate::run::slot::Slots;
use crate::run::tell;
use crate::run::{self, Answer, Host, Patience, Request};
use anyhow::Result;
use std::time::Duration;

/// Back up now
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Run {
    #[arg(required_unless_present = "all")]
    fileset: Vec<String>,
    /// All enabled filesets
    #[arg(long, conflicts_with = "fileset")]
    all: bool,
    /// Make a snapshot LABEL-... that retention never destroys
    #[arg(long, value_name = "LABEL", value_parser = label)]
    keep: Option<Label>,
    /// Accept, this once, that the source lost more than max-shrink allows
    #[arg(long)]
    accept_shrink: bool,
    /// Run in this process, not as a unit of systemd
    #[arg(long)]
    direct: bool,
    /// Be the main process of the unit of that fileset
    #[arg(long, hide = true, conflicts_with_all = ["all", "direct", "keep", "accept_shrink", "no_wait", "rehearse"])]
    as_unit: bool,
    /// Start the unit and do not follow it; with --direct: do not wait for a free slot, exit with 4
    #[arg(long)]
    no_wait: bool,
    /// Say what would be transferred, and change nothing
    #[arg(long = "dry-run")]
    rehearse: bool,
}

fn label(text: &str) -> Result<Label, String> {
    text.parse().map_err(|invalid: crate::fileset::invalid::Invalid| invalid.message)
}

impl Run {
    pub fn run(self, world: &World) -> Result<Exit> {
        if self.as_unit {
            return unit::run(world, self.fileset.first().map_or("", String::as_str));
        }
        let configuration = world.configuration();
        let (chosen, exit) = self.chosen(&configuration);
        if self.direct && !self.rehearse && world.has_units() && world.user.is_root() {
            let names = if self.all { "--all".to_owned() } else { self.fileset.join(" ") };
            log::warn!(
                "with --direct it is root who talks to the source, over the network and in no sandbox; planb run {names} has \
                 user planb do that"
            );
        }
        // Who only looks starts nothing.
        if self.direct || self.rehearse || !world.has_units() {
            return self.direct(world, &configuration, chosen, exit);
        }
        let wish = Wish { keep: self.keep, accept_shrink: self.accept_shrink, follow: !self.no_wait };
        Ok(exit.worse(follow::run(world, &longest_waiting_first(world, chosen), &wish)?))
    }

    fn direct(
        &self,
        world: &World,
        configuration: &Configuration,
        chosen: Vec<&Fileset>,
        mut exit: Exit,
    ) -> Result<Exit> {
        let stop = world::stop()?;
        let slots = slots(world, configuration);
        let host = Host {
            paths: &world.paths,
            slots: &slots,
            stop: &stop,
            clock: world.clock,
            carrier: Carrier::Here,
            log: configuration.settings.log,
        };
        let only = chosen.len() == 1;
        let ended = many::run(longest_waiting_first(world, chosen), &slots, |fileset| {
            if stop.wished() { Ok(Exit::Failed) } else { self.one(world, &host, fileset, only) }
        });
        for one in ended {
            exit = exit.worse(one?);
        }
        Ok(exit)
    }

    fn chosen<'c>(&self, configuration: &'c Configuration) -> (Vec<&'c Fileset>, Exit) {
        if self.all {
            // One bad file never stops the others, and never goes unsaid.
            configuration.invalid.iter().flat_map(|invalid| &invalid.diagnostics).for_each(say);
            let exit = if configuration.invalid.is_empty() { Exit::Done } else { Exit::Usage };
            return (configuration.filesets.iter().filter(|fileset| fileset.enabled).collect(), exit);
        }
        let (mut chosen, mut exit) = world::choose(configuration, &self.fileset);
        chosen.retain(|fileset| {
            if !fileset.enabled {
                let file = fileset.file.display();
                say(format_args!("planb: {} is disabled: set enabled = true in {file}", fileset.name));
                exit = Exit::Usage;
            }
            fileset.enabled
        });
        (chosen, exit)
    }

    fn one(&self, world: &World, host: &Host<'_>, fileset: &Fileset, only: bool) -> Result<Exit> {
        let request = Request {
            id: world.run_id(only)?,
            trigger: world.trigger,
            keep: self.keep.clone(),
            accept_shrink: self.accept_shrink,
            patience: if self.no_wait { Patience::None } else { Patience::For(patience(fileset)) },
        };
        if self.rehearse {
            return rehearse(host, fileset, &request);
        }
        let meter = Meter::new(&fileset.name);
        let answer = run::run(host, fileset, &request, |event| meter.show(&event));
        meter.finish();
        match answer {
            Ok(Answer::Ran(record)) => Ok(told(&record)),
            Ok(Answer::NoSlot) => {
                say(format_args!("planb: {}: no free slot", fileset.name));
                Ok(Exit::Busy)
            }
            Err(refused @ Refused::Busy { .. }) => {
                say(format_args!("planb: {refused}"));
                Ok(Exit::Busy)
            }
            Err(refused @ (Refused::Transferring { .. } | Refused::Lock { .. })) => Err(refused.into()),
        }
    }
}

/// Prints what a run would do. Its exit code is what that run would come to.
fn rehearse(host: &Host<'_>, fileset: &Fileset, request: &Request) -> Result<Exit> {
    let name = &fileset.name;
    let meter = Meter::new(name);
    let rehearsed = rehearsal::rehearse(host, fileset, request, |event| meter.show(&event));
    meter.finish();
    let Rehearsed { transfer, against, refused, snapshot, destroyed } = match rehearsed {
        Ok(rehearsed) => rehearsed,
        Err((outcome, why)) => {
            log::warn!("{name}: a run would come to: {outcome}: {why}");
            return Ok(exit_of(outcome));
        }
    };
    let (bytes, all) = (Size::from_bytes(transfer.bytes), Size::from_bytes(transfer.totals.bytes));
    let (files, names) = (counted(transfer.files, "file"), counted(transfer.totals.files, "name"));
    let mut lines = vec![format!("would transfer {files}, {bytes}; the source has {names}, {all}")];
    if let Some(newest) = against {
        let gone = counted(transfer.deleted, "name");
        lines.push(format!("would leave out {gone} that {newest} has"));
    }
    let exit = match refused {
        None => {
            lines.push(format!("would make {snapshot}"));
            Exit::Done
        }
        Some(why) => {
            lines.push(format!("would make no snapshot: {why}"));
            Exit::Failed
        }
    };
    lines.extend(destroyed.iter().map(|snapshot| format!("would destroy {snapshot}")));
    for line in &lines {
        out::print(&format!("{name}: {line}\n"))?;
    }
    Ok(exit)
}

/// The host's slots.
pub fn slots(world: &World, configuration: &Configuration) -> Slots {
    let settings = &configuration.settings;
    Slots::new(world.paths.runtime(), settings.slots.into(), settings.slots_per_source.into())
}

/// How long a run waits for a slot: then the next one is due anyway.
pub fn patience(fileset: &Fileset) -> Duration {
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    fileset.period().min(LONGEST)
}

fn longest_waiting_first<'c>(world: &World, mut filesets: Vec<&'c Fileset>) -> Vec<&'c Fileset> {
    filesets.sort_by_cached_key(|fileset| {
        let last = last::read(&world.paths, &fileset.name).ok().flatten();
        last.and_then(|last| last.last_success).map(|success| success.finished)
    });
    filesets
}

/// Says in one line what became of a run.
pub fn told(record: &Record) -> Exit {
    tell::end(record);
    exit(record)
}

/// What a run came to, for scripts.
pub fn exit(record: &Record) -> Exit {
    exit_of(record.result.unwrap_or(Outcome::Failure))
}

fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Success => Exit::Done,
        Outcome::Deferred => Exit::Deferred,
        Outcome::Failure | Outcome::Timeout | Outcome::Interrupted | Outcome::Killed => Exit::Failed,
    }
}
