//! The exec transport: a program of the administrator's makes the workspace equal to the source, whatever that is.
//!
//! The program is trusted as far as the sandbox lets it: it gets the workspace, the variables of its run, and a descriptor to
//! report on. What it says of sizes is believed; what it does not say is counted.

mod count;
mod report;
pub mod settings;

use super::said::{Said, printable};
use super::{Event, Failure, Job, Rehearsal, Verdict};
use crate::fileset::progress::{Totals, Transferred};
use crate::host::output::Lines;
use crate::host::process::{Ending, Input, Limits, Program, REPORTS, Stream};
use log::Level;
use report::Report;
use settings::{Settings, Snapshots};
use std::path::Path;
use std::time::{Duration, Instant};

/// The exit code with which a program asks to be called later (`EX_TEMPFAIL` of sysexits(3)).
const LATER: i32 = 75;

/// How often progress is told.
const PACE: Duration = Duration::from_millis(250);

/// Lets the program make the workspace equal to the source.
pub fn pull(settings: &Settings, job: Job<'_>, tell: &mut dyn FnMut(Event)) -> Result<Transferred, Failure> {
    let shown = settings.command.program();
    let workspace = job.workspace.path();
    let mut program = Program::find(settings.command.program())
        .map_err(|e| Failure::because(format!("failed to run {shown}"), &e))?
        .args(settings.command.arguments())
        .directory(workspace)
        .env("HOME", job.home)
        .env("SHELL", "/bin/sh")
        // Empty to whoever reads it, and the fileset's lock to whoever lives on.
        .stdin(Input::File(job.hold))
        .reports();
    for (name, value) in job.variables {
        program = program.env(name, value);
    }

    let started = Instant::now();
    let mut hearing = Hearing { said: Said::default(), report: Report::default(), told: None, started };
    let (mut out, mut err, mut report) = (Lines::default(), Lines::default(), Lines::default());
    let ending = program
        .run(job.limits, |stream, bytes| match stream {
            Stream::Out => out.push(bytes, |line| hearing.line(Level::Info, line, tell)),
            Stream::Err => err.push(bytes, |line| hearing.line(Level::Warn, line, tell)),
            Stream::Report => report.push(bytes, |line| hearing.report(line, tell)),
        })
        .map_err(|e| Failure::because(format!("failed to run {shown}"), &e))?;
    out.flush(|line| hearing.line(Level::Info, line, tell));
    err.flush(|line| hearing.line(Level::Warn, line, tell));
    report.flush(|line| hearing.report(line, tell));
    let Hearing { said, report, .. } = hearing;
    judge(ending, shown, &said)?;

    let totals = match (report.totals(), settings.snapshots) {
        (Some(totals), _) => Some(totals),
        (None, Snapshots::Planb) => counted(workspace, job.limits, tell)?,
        (None, Snapshots::Own) => {
            tell(Event::Degraded(format!(
                "{shown} reports neither total-files nor total-bytes: how large the source is is not known, and \
                 `max-shrink` guards nothing"
            )));
            None
        }
    };
    Ok(report.transferred(totals))
}

/// What the program would do is known to nobody but the program.
pub fn rehearse(settings: &Settings) -> Result<Rehearsal, Failure> {
    let shown = settings.command.program();
    Err(Failure::failed(format!(
        "what {shown} would do is only known by doing it: there is no dry run of it"
    )))
}

fn judge(ending: Ending, program: &str, said: &Said) -> Result<(), Failure> {
    let last = said.ending();
    let words = if last.is_empty() { "it did not say why".to_owned() } else { format!("it said: {last}") };
    let (verdict, reason) = match ending {
        Ending::Exited(0) => return Ok(()),
        Ending::Exited(LATER) => {
            (Verdict::Deferred, format!("{program} asks to be called later (exit code {LATER}): {words}"))
        }
        Ending::Stopped => (Verdict::Interrupted, "stopped on request".to_owned()),
        Ending::TimedOut => {
            (Verdict::TimedOut, format!("{program} took longer than the fileset's `timeout`: {words}"))
        }
        Ending::Exited(_) | Ending::Signalled(_) | Ending::Stalled => {
            (Verdict::Failed, format!("{program} {ending}: {words}"))
        }
    };
    let exit_code = if let Ending::Exited(code) = ending { Some(code) } else { None };
    Err(Failure { verdict, reason, exit_code })
}

/// Sizes that were not reported. The guard must not sleep because a program is silent.
fn counted(
    workspace: &Path,
    limits: Limits<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<Option<Totals>, Failure> {
    match count::count(workspace, limits) {
        Ok(Some(totals)) => Ok(Some(totals)),
        Ok(None) if limits.stop.wished() => {
            Err(Failure { verdict: Verdict::Interrupted, ..Failure::failed("stopped on request") })
        }
        Ok(None) => Err(Failure {
            verdict: Verdict::TimedOut,
            ..Failure::failed("counting what came took longer than the fileset's `timeout`")
        }),
        Err(error) => {
            tell(Event::Degraded(format!(
                "what came cannot be counted ({error}), and the program reports no total-files and total-bytes: \
                 `max-shrink` guards nothing"
            )));
            Ok(None)
        }
    }
}

/// What the program said so far.
struct Hearing {
    said: Said,
    report: Report,
    told: Option<Instant>,
    started: Instant,
}

impl Hearing {
    fn line(&mut self, level: Level, line: &[u8], tell: &mut dyn FnMut(Event)) {
        let line = printable(line);
        // What explains an end is on standard error.
        if level == Level::Warn {
            self.said.keep(&line);
        }
        self.said.tell(level, line, tell);
    }

    fn report(&mut self, line: &[u8], tell: &mut dyn FnMut(Event)) {
        let line = printable(line);
        if self.report.read(&line).is_err() {
            let text = format!("not understood on descriptor {REPORTS}: {line}");
            self.said.tell(Level::Warn, text, tell);
        } else if self.told.is_none_or(|told| told.elapsed() >= PACE) {
            self.told = Some(Instant::now());
            tell(Event::Progress(self.report.progress(self.started.elapsed().as_secs_f64())));
        }
    }
}
