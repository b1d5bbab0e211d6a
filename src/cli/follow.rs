//! `planb run` where systemd runs: start the units and watch them.
//!
//! The runs are systemd's, not ours: whatever becomes of this process, they go on. What is shown comes from the live
//! state, what is said in the end from the record of that very run.

use super::exit::Exit;
use super::log::bars;
use super::meter::Meter;
use super::run::{exit, told};
use super::say;
use super::world::{self, World};
use crate::config::Fileset;
use crate::fileset::record::{Record, Trigger};
use crate::fileset::snapshot::Label;
use crate::history::last;
use crate::host::output::Lines;
use crate::host::process::{Limits, Program, Stream};
use crate::host::signals::Stop;
use crate::host::{lock, systemd};
use crate::report::table::plain;
use crate::run::asked::{self, Asked};
use crate::run::live::Live;
use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// How often the runs are looked at.
const PACE: u16 = 300;
/// How long a start may take to show: then what systemd says is that it will not come.
const START: Duration = Duration::from_secs(5);
/// How long the journal may take to hand over its last lines.
const LAST_LINES: u16 = 300;

/// What is asked of the runs.
#[derive(Debug)]
pub struct Wish {
    pub keep: Option<Label>,
    pub accept_shrink: bool,
    /// Or only start them.
    pub follow: bool,
}

/// Starts the runs of these filesets, and follows them to their ends.
pub fn run(world: &World, filesets: &[&Fileset], wish: &Wish) -> Result<Exit> {
    if !world.is_root("start a run") {
        return Ok(Exit::Failed);
    }
    let begun = world.clock.now();
    let (mut runs, mut exit) = idle(world, filesets)?;
    let asked = Asked::new(Trigger::Manual, wish.keep.as_ref(), wish.accept_shrink, begun);
    for run in &runs {
        let name = &run.fileset.name;
        asked.leave(&world.paths, name).with_context(|| format!("failed to ask for a run of {name}"))?;
    }
    let units: Vec<&str> = runs.iter().map(|run| run.unit.as_str()).collect();
    if let Err(error) = systemd::start(&units) {
        for run in &runs {
            asked::withdraw(&world.paths, &run.fileset.name);
        }
        return Err(error.into());
    }
    if !wish.follow {
        return Ok(exit);
    }
    let stop = world::stop()?;
    let listening = Stop::new()?;
    let followed = std::thread::scope(|scope| {
        if world.verbose && !runs.is_empty() {
            scope.spawn(|| listen(filesets, begun, &listening));
        }
        let followed = follow(world, &mut runs, begun, &stop);
        if world.verbose {
            last_lines();
        }
        listening.wish();
        followed
    });
    for run in followed? {
        exit = exit.worse(run);
    }
    if stop.wished() {
        let left: Vec<&str> =
            runs.iter().filter(|r| r.meter.is_some()).map(|r| r.fileset.name.as_str()).collect();
        if !left.is_empty() {
            let names = left.join(" ");
            say(format_args!("planb: {names}: the backup goes on; to stop it: planb stop {names}"));
            return Ok(exit.worse(Exit::Failed));
        }
    }
    Ok(exit)
}

/// A run that was started here.
struct Run<'a> {
    fileset: &'a Fileset,
    unit: String,
    /// What systemd called the run before.
    before: String,
    /// What it calls this one.
    id: Option<String>,
    /// There until the run has ended.
    meter: Option<Meter>,
}

/// Those that can be started. The others are being backed up already.
fn idle<'a>(world: &World, filesets: &[&'a Fileset]) -> Result<(Vec<Run<'a>>, Exit)> {
    let units: Vec<String> = filesets.iter().map(|f| format!("planb@{}.service", f.name)).collect();
    let shown = systemd::show_all(&units, &["ActiveState", "InvocationID", "Job"])?;
    let (mut runs, mut exit) = (Vec::new(), Exit::Done);
    for ((fileset, unit), mut shown) in filesets.iter().zip(units).zip(shown) {
        let name = &fileset.name;
        // The lock is that of a run in a process of its own.
        if !is_over(&shown) || !lock::is_free(&world.paths.runtime_dir("lock").join(name))? {
            say(format_args!(
                "planb: {name} is being backed up already: planb status {name} shows how far it is"
            ));
            exit = exit.worse(Exit::Busy);
            continue;
        }
        let before = shown.remove("InvocationID").unwrap_or_default();
        runs.push(Run { fileset, unit, before, id: None, meter: Some(Meter::new(name)) });
    }
    Ok((runs, exit))
}

/// Whether systemd has nothing more to do for the unit.
fn is_over(shown: &HashMap<String, String>) -> bool {
    let is =
        |name: &str, values: &[&str]| shown.get(name).is_none_or(|value| values.contains(&value.as_str()));
    is("ActiveState", &["inactive", "failed"]) && is("Job", &["", "0"])
}

/// Watches until all have ended or somebody wants to leave. Returns what those that ended came to.
fn follow(world: &World, runs: &mut [Run<'_>], begun: OffsetDateTime, stop: &Stop) -> Result<Vec<Exit>> {
    let started = Instant::now();
    let mut ended = Vec::new();
    while runs.iter().any(|run| run.meter.is_some()) && !stop.wished() {
        // systemd has nothing to say of a run that is seen to live, and is not bothered.
        let quiet: Vec<&mut Run<'_>> =
            runs.iter_mut().filter(|run| run.meter.is_some() && !run.lives(world)).collect();
        let units: Vec<&str> = quiet.iter().map(|run| run.unit.as_str()).collect();
        let properties = ["ActiveState", "InvocationID", "Job", "Result", "ExecMainStatus"];
        let shown = systemd::show_all(&units, &properties)?;
        for (run, shown) in quiet.into_iter().zip(shown) {
            let id = shown.get("InvocationID").filter(|id| !id.is_empty() && **id != run.before);
            run.id = run.id.take().or_else(|| id.cloned());
            if is_over(&shown) {
                let record = run.record(world, begun);
                // A unit that is over and shows no sign of a run may not have begun yet.
                if record.is_some() || run.id.is_some() || started.elapsed() > START {
                    if let Some(meter) = run.meter.take() {
                        meter.finish();
                    }
                    ended.push(run.came_to(world, record.as_ref(), &shown));
                }
            }
        }
        let mut fds = [PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::from(PACE));
    }
    for run in runs.iter().filter_map(|run| run.meter.as_ref()) {
        run.hide();
    }
    Ok(ended)
}

impl Run<'_> {
    /// Shows how far it is, if it is under way.
    fn lives(&self, world: &World) -> bool {
        let live = Live::read(&world.paths, &self.fileset.name);
        let Some(live) = live.filter(|live| self.id.as_ref() == Some(&live.id)) else { return false };
        if let Some(meter) = &self.meter {
            meter.show_live(&live);
        }
        true
    }

    /// The record of this run, once it has an end. systemd forgets a unit that ended well: then it is the one that began
    /// since.
    fn record(&self, world: &World, begun: OffsetDateTime) -> Option<Record> {
        let run = last::read(&world.paths, &self.fileset.name).ok()??.run;
        let ours = self.id.as_ref().map_or(run.started >= begun, |id| *id == run.id);
        (ours && run.result.is_some()).then_some(run)
    }

    fn came_to(&self, world: &World, record: Option<&Record>, shown: &HashMap<String, String>) -> Exit {
        let name = &self.fileset.name;
        asked::withdraw(&world.paths, name);
        if let Some(record) = record {
            // The journal's last line says it already.
            return if world.verbose { exit(record) } else { told(record) };
        }
        let value = |name: &str| shown.get(name).map_or("", String::as_str);
        let (result, status) = (value("Result"), value("ExecMainStatus"));
        say(format_args!(
            "planb: {name}: no run came of it ({result}, {status}): see journalctl -u {}",
            self.unit
        ));
        match status {
            "2" => Exit::Usage,
            "4" => Exit::Busy,
            _ => Exit::Failed,
        }
    }
}

/// Prints what the journal gets from these filesets.
fn listen(filesets: &[&Fileset], since: OffsetDateTime, stop: &Stop) {
    let since = format!("--since=@{}.{:06}", since.unix_timestamp(), since.microsecond());
    let journal = match Program::find("journalctl") {
        Ok(journal) => journal.args(["--quiet", "--follow", "--no-tail", "--output=cat", &since]),
        Err(error) => return say(format_args!("planb: {error}")),
    };
    let matches = filesets.iter().map(|fileset| format!("PLANB_FILESET={}", fileset.name));
    let mut lines = Lines::default();
    let ended = journal.args(matches).run(Limits { stop, deadline: None }, |stream, bytes| {
        if stream == Stream::Out {
            lines.push(bytes, |line| print(&String::from_utf8_lossy(line)));
        }
    });
    if let Err(error) = ended {
        say(format_args!("planb: {error}"));
    }
}

fn print(line: &str) {
    let mut stderr = std::io::stderr();
    let line = format!("{}\n", plain(line));
    let mut write = || drop(stderr.write_all(line.as_bytes()));
    if std::io::stderr().is_terminal() { bars().suspend(write) } else { write() }
}

/// Waits until the journal has handed over what is in it.
fn last_lines() {
    systemd::sync_journal();
    let _ = poll(&mut [], PollTimeout::from(LAST_LINES));
}
