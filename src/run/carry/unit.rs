//! A transfer that the fileset's transfer unit makes, seen from the run that wants it.
//!
//! What that unit says is one thing, what systemd says of it is another. There is a success only if both say so and
//! nothing of the unit lives on.

use super::here::ended;
use super::job::{self, Job};
use super::pipes::Pipes;
use super::said::Ear;
use super::talk::{Broken, Hands, Talk};
use super::told::{self, CameTo};
use super::{pipes_of, place, relay, variables};
use crate::config::Fileset;
use crate::fileset::name::Name;
use crate::fileset::progress::Transferred;
use crate::fileset::reason::chain;
use crate::fileset::record::Outcome;
use crate::fileset::replica::CopyId;
use crate::fileset::workspace::Workspace;
use crate::host::account::Account;
use crate::host::paths::Paths;
use crate::host::process::{Ending, Limits};
use crate::host::systemd::Started;
use crate::host::{lock, systemd};
use crate::run::Event;
use crate::run::attempt::{Cut, Surroundings};
use crate::transport::{self, Failure};
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::Signal;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often its progress is looked at.
const PACE: Duration = Duration::from_secs(1);

/// The transfer keeps the fileset's timeout itself, and tells better than we can what it was doing then. This is how
/// much later we stop it.
const GRACE: Duration = Duration::from_secs(60);

/// How long a unit that systemd has stopped may still hold its lock.
const LAST_BREATH: Duration = Duration::from_secs(10);

pub fn name(fileset: &Name) -> String {
    format!("planb-transfer@{fileset}.service")
}

pub fn transfer(
    s: &Surroundings<'_>,
    account: Account,
    workspace: &Workspace,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<Transferred, Cut> {
    let unit = Unit { s, account, workspace, copy: None };
    let ((), came_to) = unit.run(watch, |running| while running.wait(PACE) {})?;
    came_to
}

/// Talks with hands that are the fileset's transfer unit.
pub fn converse<T>(
    s: &Surroundings<'_>,
    account: Account,
    copy: CopyId,
    workspace: &Workspace,
    watch: &mut dyn FnMut(Event<'_>),
    talk: impl FnOnce(&mut Talk<'_>) -> Result<T, Broken>,
) -> Result<T, Cut> {
    let name = &s.fileset.name;
    // What the unit sees is what is there when it starts.
    let pipes = Pipes::make(&pipes_of(s.host.paths, name), account)
        .map_err(|e| Cut::new(Outcome::Failure, format!("failed to make pipes for the transfer: {e}")))?;
    let limits =
        Limits { stop: s.host.stop, deadline: Some(Instant::now() + s.fileset.timeout.duration() + GRACE) };
    let unit = Unit { s, account, workspace, copy: Some(copy) };
    let (told, came_to) = unit.run(watch, |running| {
        let told = talk(&mut Talk::new(pipes, running, limits));
        // Without its pipes it has nothing to do any more, and ends. What does not is stopped.
        let until = Instant::now() + LAST_BREATH;
        while running.wait(PACE) {
            if until <= Instant::now()
                && let Err(error) = systemd::stop(&[super::unit::name(name)])
            {
                log::error!("{name}: {}", chain(&error));
                break;
            }
        }
        told
    })?;
    ended(name, told, came_to.err())
}

/// The transfer unit of a run.
struct Unit<'a> {
    s: &'a Surroundings<'a>,
    account: Account,
    workspace: &'a Workspace,
    copy: Option<CopyId>,
}

/// The same, while it runs.
struct Running<'a> {
    fileset: &'a Fileset,
    paths: &'a Paths,
    ear: Ear,
    ended: Receiver<Result<Started, systemd::Error>>,
    /// What became of it, once that is known.
    over: Option<Result<Started, systemd::Error>>,
    watch: &'a mut dyn FnMut(Event<'_>),
}

impl Running<'_> {
    /// Waits for its end, at the longest so long, and passes on what it says. Whether it still runs.
    fn wait(&mut self, patience: Duration) -> bool {
        if self.over.is_some() {
            return false;
        }
        match self.ended.recv_timeout(patience) {
            Ok(started) => self.over = Some(started),
            Err(RecvTimeoutError::Timeout) => {
                relay(&mut self.ear, &self.fileset.name, Some(self.fileset), false);
                if let Some(progress) = told::read_progress(self.paths, &self.fileset.name) {
                    (self.watch)(Event::Progress(&progress));
                }
            }
            // Its thread panicked: nothing is known of the unit.
            Err(RecvTimeoutError::Disconnected) => {
                self.over = Some(Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
            }
        }
        self.over.is_none()
    }
}

impl Hands for Running<'_> {
    fn look(&mut self) -> bool {
        self.wait(Duration::ZERO)
    }

    fn watch(&mut self, event: Event<'_>) {
        (self.watch)(event);
    }
}

impl Unit<'_> {
    /// Starts the unit, lets `during` go on while it runs, which ends when it does, and tells what both came to.
    fn run<T>(
        self,
        watch: &mut dyn FnMut(Event<'_>),
        during: impl FnOnce(&mut Running<'_>) -> T,
    ) -> Result<(T, Result<Transferred, Cut>), Cut> {
        let Self { s, account, workspace, copy } = self;
        let (fileset, paths) = (s.fileset, s.host.paths);
        let unit = name(&fileset.name);
        let job = Job {
            id: s.request.id.clone(),
            fileset: fileset.name.clone(),
            transport: place::inside(&fileset.transport),
            workspace: workspace.clone(),
            known_hosts: paths.known_hosts(),
            home: paths.state(),
            variables: variables::of(s, workspace)?,
            timeout: fileset.timeout,
            copy,
        };
        let limits = Limits { stop: s.host.stop, deadline: Some(Instant::now() + GRACE) };
        transport::provide(&job.transport, &job.known_hosts, &job.home, limits, account)?;
        let _handed_over = job
            .hand_over(paths, account)
            .map_err(|e| Cut::new(Outcome::Failure, format!("failed to hand the transfer over: {e}")))?;

        let deadline = Instant::now() + fileset.timeout.duration() + GRACE;
        let limits = Limits { stop: s.host.stop, deadline: Some(deadline) };
        let (tell, ended) = mpsc::channel();
        let (during, started, mut ear) = thread::scope(|scope| {
            scope.spawn(|| drop(tell.send(systemd::start_and_wait(&unit, limits))));
            let ear = Ear::new(paths, &fileset.name, &s.request.id);
            let mut running = Running { fileset, paths, ear, ended, over: None, watch };
            let during = during(&mut running);
            let unknown = || Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
            (during, running.over.unwrap_or_else(unknown), running.ear)
        });
        let clean = started.as_ref().is_ok_and(|started| started.ending.is_clean());
        if let Ok(started) = &started
            && !clean
        {
            log::debug!("{}: systemctl start {unit} {}: {}", fileset.name, started.ending, started.said);
        }
        // Read before anything else is done to the unit.
        let last = if clean { None } else { Some(last_of(&unit)) };
        let over = end(paths, &fileset.name, !clean);
        relay(&mut ear, &fileset.name, Some(fileset), over.is_ok());
        over.map_err(|why| Cut::new(Outcome::Failure, why))?;
        Ok((during, came_to(s, &unit, started, last)))
    }
}

/// What a unit that is over came to, by what systemd says of it and what it says itself.
fn came_to(
    s: &Surroundings<'_>,
    unit: &str,
    started: Result<Started, systemd::Error>,
    last: Option<LastWords>,
) -> Result<Transferred, Cut> {
    if s.host.stop.wished() {
        return Err(Cut::interrupted());
    }
    let clean = last.is_none();
    let said = told::read_outcome(s.host.paths, &s.fileset.name, &s.request.id);
    match (started, said) {
        (Ok(_), Ok(CameTo::Done(transferred))) if clean => Ok(transferred),
        (Ok(_), Ok(CameTo::Nothing(failure))) => {
            let reason = place::outside(&s.fileset.transport, &failure.reason);
            Err(Failure { reason, ..failure }.into())
        }
        (Err(error), _) => Err(Cut::new(Outcome::Failure, chain(&error))),
        (Ok(started), _) if started.ending == Ending::TimedOut => {
            let reason = "the transfer took longer than `timeout`, did not end by itself and was stopped";
            Err(Cut::new(Outcome::Timeout, reason))
        }
        (Ok(started), _) if started.ending == Ending::Stopped => Err(Cut::interrupted()),
        (Ok(_), Err(error)) if clean => Err(Cut::new(
            Outcome::Failure,
            format!("the transfer ended without saying what it came to: {error}"),
        )),
        (Ok(started), _) => Err(last.unwrap_or_default().cut(unit, &started.said)),
    }
}

/// Sees to it that nothing of the fileset's transfer lives. `stop`: although systemd may think so.
pub fn end(paths: &Paths, fileset: &Name, stop: bool) -> Result<(), String> {
    let hold = job::hold(paths, fileset);
    let free = || lock::is_free(&hold).map_err(|e| format!("failed to look at {}: {e}", hold.display()));
    if !stop && free()? {
        return Ok(());
    }
    if systemd::is_running() {
        systemd::stop(&[name(fileset)]).map_err(|error| chain(&error))?;
    }
    let until = Instant::now() + LAST_BREATH;
    while !free()? {
        if Instant::now() >= until {
            let who: Vec<String> = lock::holders(&hold).iter().map(|holder| holder.pid.to_string()).collect();
            let who = who.join(", ");
            return Err(format!("a transfer that should be over still writes (process {who}): end it"));
        }
        // The end of another's process cannot be waited for: look again shortly.
        let _ = poll(&mut [], PollTimeout::from(50_u8));
    }
    Ok(())
}

/// What systemd says of the transfer's end.
#[derive(Debug, Default)]
struct LastWords {
    result: String,
    code: String,
    status: String,
}

fn last_of(unit: &str) -> LastWords {
    let mut shown = systemd::show(unit, &["Result", "ExecMainCode", "ExecMainStatus"]).unwrap_or_default();
    let mut take = |name: &str| shown.remove(name).unwrap_or_default();
    LastWords { result: take("Result"), code: take("ExecMainCode"), status: take("ExecMainStatus") }
}

impl LastWords {
    /// systemd.exec(5), `$SERVICE_RESULT`, tells what the results mean.
    fn cut(&self, unit: &str, said: &str) -> Cut {
        let Self { result, code, status } = self;
        match result.as_str() {
            "oom-kill" => Cut::new(
                Outcome::Killed,
                format!(
                    "the transfer used up its memory and was killed: add memory, raise MemoryMax= of {unit}, or lower `slots`"
                ),
            ),
            "signal" | "core-dump" | "watchdog" => {
                Cut::new(Outcome::Killed, format!("the transfer was ended by {}", signal(status)))
            }
            "timeout" => Cut::new(Outcome::Timeout, format!("systemd stopped {unit} for taking too long")),
            "exit-code" => Cut::new(
                Outcome::Failure,
                format!("the transfer exited with {status} and did not say why: see journalctl -u {unit}"),
            ),
            _ => {
                let detail = said.lines().next().unwrap_or_default();
                let what = format!("{unit} could not be run ({result}, {code}): {detail}");
                Cut::new(Outcome::Failure, format!("{what}: see journalctl -u {unit}"))
            }
        }
    }
}

/// `9`, and `KILL` as `$EXIT_STATUS` has it, as `SIGKILL`.
pub fn signal(text: &str) -> String {
    let number = || text.parse().ok().and_then(|number: i32| Signal::try_from(number).ok());
    let name = || format!("SIG{text}").parse().ok();
    number().or_else(name).map_or_else(|| format!("signal {text}"), |signal: Signal| signal.to_string())
}
