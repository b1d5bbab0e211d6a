//! The main process of planb@NAME.service.

use crate::cli::exit::Exit;
use crate::cli::run::{patience, slots, told};
use crate::cli::say;
use crate::cli::world::{self, World};
use crate::config::{self, Configuration, Fileset};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::progress::Progress;
use crate::fileset::quantity::Size;
use crate::fileset::record::{Outcome, Record, Trigger};
use crate::history;
use crate::host::status;
use crate::report::table::minute;
use crate::run::asked;
use crate::run::claim::{self, Refused};
use crate::run::{self, Answer, Event, Patience, Request, ending, retry};
use anyhow::{Context, Result};
use time::OffsetDateTime;

/// Backs up the fileset of that name as its unit does: the transfer in a unit of its own, hooks and what comes after in
/// others.
pub fn run(world: &World, name: &str) -> Result<Exit> {
    let name: Name = name.parse().context("failed to understand the unit's name")?;
    let configuration = config::load(&world.paths, world.user);
    let id = world.run_id(true)?;
    let fileset = configuration.fileset(name.as_str());
    let group = fileset.and_then(|fileset| fileset.group.as_ref()).map(ToString::to_string);
    let mut fields = vec![("PLANB_FILESET", name.as_str()), ("PLANB_RUN_ID", id.as_str())];
    fields.extend(group.as_deref().map(|group| ("PLANB_GROUP", group)));
    world.log(configuration.settings.log, &fields);

    let asked = asked::take(&world.paths, &name, world.clock.now());
    // A person's wish is a person's, also where a timer came at the same moment.
    let trigger = asked.as_ref().map_or(world.trigger, |asked| asked.trigger);
    // Said first and not for its own sake: journald looks up whose a line is when it gets to it, and would find nobody
    // behind the only line of a short run.
    log::info!(
        "{name}: {}",
        match trigger {
            Trigger::Timer => "its timer starts a run",
            Trigger::Manual => "somebody starts a run",
            Trigger::Retry => "another attempt starts",
        }
    );
    let Some(fileset) = fileset else { return Ok(invalid(world, &configuration, &name, id, trigger)) };
    if !fileset.enabled {
        let file = fileset.file.display();
        log::error!("{name} is disabled: set enabled = true in {file}");
        return Ok(Exit::Usage);
    }
    let request = Request {
        id,
        trigger,
        keep: asked.as_ref().and_then(|asked| asked.keep.as_ref()?.parse().ok()),
        accept_shrink: asked.is_some_and(|asked| asked.accept_shrink),
        patience: Patience::For(patience(fileset)),
    };
    let (stop, slots) = (world::stop()?, slots(world, &configuration));
    let host = world.unit_host(&slots, &stop, configuration.settings.log)?;
    // Whatever comes of this run, the attempt that was planned is made by it.
    retry::cancel(&world.paths, &name);
    let mut teller = Teller { fileset, until: None };
    match run::run(&host, fileset, &request, |event| teller.tell(&event)) {
        Ok(Answer::Ran(record)) => Ok(match told(&record) {
            // It did as it was told: no unit of a failed service is left behind.
            _ if record.result == Some(Outcome::Interrupted) => Exit::Done,
            exit => exit,
        }),
        Ok(Answer::NoSlot) => Ok(Exit::Busy),
        Err(refused @ Refused::Busy { .. }) => {
            log::warn!("{refused}");
            Ok(Exit::Busy)
        }
        Err(refused) => Err(refused.into()),
    }
}

/// A run that cannot begin because the configuration is wrong is a failure like any other: it is recorded, and whoever
/// listens for failures hears of it.
fn invalid(world: &World, configuration: &Configuration, name: &Name, id: String, trigger: Trigger) -> Exit {
    let Some(invalid) = configuration.invalid(name.as_str()) else {
        log::error!("{}", configuration.unknown(name.as_str()));
        return Exit::Usage;
    };
    for diagnostic in &invalid.diagnostics {
        log::error!("{diagnostic}");
    }
    let _claim = match claim::take(&world.paths, name) {
        Ok(claim) => claim,
        Err(refused) => {
            say(format_args!("planb: {refused}"));
            return Exit::Busy;
        }
    };
    let now = world.clock.now();
    let first = invalid.diagnostics.first().map(ToString::to_string).unwrap_or_default();
    let first = first.lines().next().unwrap_or_default();
    let mut record = Record {
        id,
        fileset: name.clone(),
        group: None,
        tags: Vec::new(),
        trigger,
        started: now,
        finished: None,
        result: None,
        error: Some(format!("nothing was backed up, because the configuration is wrong: {first}")),
        exit_code: None,
        snapshot: None,
        dataset: DatasetName::from(name),
        path: None,
        transferred: None,
        destroyed: Vec::new(),
    };
    let begun = history::begin(&world.paths, &record, now);
    record.result = Some(Outcome::Failure);
    record.finished = Some(now);
    let ended = history::end(&world.paths, &record, now);
    for notice in begun.notices.iter().chain(&ended.notices) {
        ending::say_of(name, notice);
    }
    told(&record);
    Exit::Usage
}

/// Tells systemd, and so whoever asks it, what the run does or waits for, and until when.
struct Teller<'a> {
    fileset: &'a Fileset,
    until: Option<OffsetDateTime>,
}

impl Teller<'_> {
    fn tell(&mut self, event: &Event<'_>) {
        let text = match event {
            Event::Queued { until } => {
                format!("waiting for a slot, until {} at the latest", self.clock(*until))
            }
            Event::Transferring { until } => {
                self.until = Some(*until);
                format!("transferring, until {} at the latest", self.clock(*until))
            }
            Event::Progress(progress) => {
                let until = self.until.map(|until| format!(", until {} at the latest", self.clock(until)));
                format!("{}{}", words(progress), until.unwrap_or_default())
            }
            Event::Finishing => "making the snapshot".to_owned(),
            Event::NextMinute { until } => {
                format!("waiting for another minute to call the snapshot by, until {}", self.clock(*until))
            }
        };
        status::say(&text);
    }

    fn clock(&self, at: OffsetDateTime) -> String {
        minute(self.fileset.timezone.show(at))
    }
}

fn words(progress: &Progress) -> String {
    let share = progress.fraction.map(|fraction| format!("{:.0}%, ", fraction * 100.0)).unwrap_or_default();
    let (bytes, rate) = (Size::from_bytes(progress.bytes), Size::from_bytes(progress.rate));
    format!("transferring: {share}{bytes}, {rate}/s")
}
