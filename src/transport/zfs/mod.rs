//! The zfs transport: datasets of another host's pools, sent by its zfs and received by ours.
//!
//! Here is what happens at the source, and only that: whoever does it talks to the network and is not root. It takes
//! orders and gives answers ([`wire`]); what is received, kept and destroyed here is decided by who gives the orders.

pub mod admission;
pub mod command;
mod keep;
mod listing;
mod look;
mod rehearse;
pub mod selection;
mod serve;
pub mod settings;
pub mod stream;
mod trouble;
pub mod wire;

pub use serve::serve;

use super::said::{Said, printable};
use super::ssh::shared::Shared;
use super::{Event, Failure, Job, ssh};
use crate::host::output::{Lines, Tail};
use crate::host::process::{Ending, Limits, Stream as Output};
use log::Level;
use selection::Selection;
use settings::{Datasets, Settings};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use stream::{Broken, Open, Stream};
use wire::{Answer, CopyId, Dataset, Mark, Order, Snapshot, Why};

/// The longest that a command of the source's may print, beside a stream.
const LONGEST: usize = 256 << 20;

/// Whoever does at the source what the run wants.
#[derive(Debug)]
pub struct Hands<'a> {
    settings: &'a Settings,
    /// What a listing is of. Of what another planb names nothing, until that was asked.
    selection: Selection,
    copy: CopyId,
    connection: Shared,
    place: ssh::Place<'a>,
    limits: Limits<'a>,
    /// Bytes that went into streams so far.
    sent: u64,
}

/// What a command came to.
struct Done {
    ending: Ending,
    stdout: String,
    said: Said,
}

impl<'a> Hands<'a> {
    /// Logs in.
    pub fn reach(settings: &'a Settings, copy: CopyId, job: &Job<'a>) -> Result<Self, Failure> {
        let place = ssh::Place { known_hosts: job.known_hosts, home: job.home };
        let hold = job.hold.try_clone().map_err(|e| Failure::because("failed to share the lock", &e))?;
        let connection = Shared::open(job.name, &settings.login, place, job.scratch, job.limits, hold)
            .map_err(|e| Failure::because("failed to prepare ssh", &e))?;
        let selection = match &settings.datasets {
            Datasets::Named(selection) => selection.clone(),
            Datasets::Tagged { .. } => Selection::default(),
        };
        Ok(Self { settings, selection, copy, connection, place, limits: job.limits, sent: 0 })
    }

    /// Carries one order out. What is sent goes where `open` leads.
    pub fn obey(&mut self, order: &Order, open: Open<'_>, tell: &mut dyn FnMut(Event)) -> Answer {
        let answer = match order {
            Order::Ask => self.ask(tell).map(Answer::Tagged),
            Order::List => self.list(tell).map(Answer::Listed),
            Order::Snapshot { name, datasets } => self.snapshot(name, datasets, tell),
            Order::Send(send) => {
                self.send(&command::send(send, self.settings), command::base(send).as_deref(), open, tell)
            }
            Order::Resume { token } => self.send(&command::resume(token), None, open, tell),
            Order::Keep { bases } => self.keep(bases, tell),
        };
        answer.unwrap_or_else(Answer::Failed)
    }

    fn snapshot(
        &self,
        name: &Mark,
        datasets: &[Dataset],
        tell: &mut dyn FnMut(Event),
    ) -> Result<Answer, Failure> {
        let mut pools: BTreeMap<&str, Vec<&Dataset>> = BTreeMap::new();
        for dataset in datasets {
            let pool = dataset.as_str().split('/').next().unwrap_or_default();
            pools.entry(pool).or_default().push(dataset);
        }
        for (pool, of_pool) in pools {
            let command = command::snapshot(&of_pool, name, self.copy).ok_or_else(|| {
                let number = of_pool.len();
                Failure::failed(format!(
                    "{number} datasets of the pool {pool} are too many for one moment: have several filesets"
                ))
            })?;
            let done = self.run(&command, tell)?;
            if let Some(cannot) = self.cannot("snapshot its datasets", None, &done)? {
                return Ok(cannot);
            }
        }
        let mut made = Vec::new();
        for command in command::list_snapshots(datasets, name) {
            let done = self.run(&command, tell)?;
            if let Some(cannot) = self.cannot("list its snapshots", None, &done)? {
                return Ok(cannot);
            }
            made.extend(
                listing::snapshots(&done.stdout, self.copy)
                    .map_err(|strange| Failure::failed(strange.to_string()))?,
            );
        }
        let of = |dataset: &Dataset| -> Result<Snapshot, Failure> {
            let found =
                made.iter().find(|made| made.dataset == *dataset && made.name == *name && made.is_ours);
            found.cloned().ok_or_else(|| {
                let host = &self.settings.login.host;
                Failure::failed(format!("{host} made a snapshot of {dataset}, and does not list it as ours"))
            })
        };
        datasets.iter().map(of).collect::<Result<_, _>>().map(Answer::Snapshots)
    }

    /// `base`: what the stream builds on, as zfs calls it.
    fn send(
        &mut self,
        command: &str,
        base: Option<&str>,
        open: Open<'_>,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Answer, Failure> {
        tell(Event::Line { level: Level::Debug, text: command.to_owned() });
        let program =
            self.connection.command(command).map_err(|e| Failure::because("failed to run ssh", &e))?;
        let limit = self.settings.bwlimit.map(crate::fileset::quantity::Size::bytes);
        let mut stream = Stream::new(open, self.limits, limit, self.sent);
        let (mut said, mut lines, mut report) = (Said::default(), Lines::default(), Report::default());
        let ending = program
            .run_while(self.limits, |output, bytes| {
                if output != Output::Out {
                    lines.push(bytes, |line| report.hear(line, &mut said, &mut stream, tell));
                    return ControlFlow::Continue(());
                }
                let flow = stream.push(bytes);
                if let Some(progress) = stream.progress() {
                    tell(Event::Progress(progress));
                }
                flow
            })
            .map_err(|e| Failure::because("failed to run ssh", &e))?;
        lines.flush(|line| report.hear(line, &mut said, &mut stream, tell));
        let (bytes, broken) = (stream.bytes, stream.broken.take());
        // Its end is the stream's.
        drop(stream);
        self.sent += bytes;
        match (broken, ending) {
            (Some(Broken::Closed), _) => {
                let reason = "nobody takes the stream any more".to_owned();
                Ok(Answer::Cannot { why: Why::NotTaken, reason })
            }
            (Some(Broken::Failed(error)), _) => Err(Failure::because("failed to pass the stream on", &error)),
            (Some(Broken::Limits), _) => Err(trouble::ended(self.limits.stop.wished())),
            (None, Ending::Exited(0)) if bytes > 0 => Ok(Answer::Sent { bytes }),
            (None, ending) => {
                let done = Done { ending, stdout: String::new(), said };
                let cannot = self.cannot("send", base, &done)?;
                cannot.ok_or_else(|| Failure::failed(format!("{} sent nothing", self.settings.login.host)))
            }
        }
    }

    /// Runs a command on the source. `Err`: it did not come to an end of its own.
    fn run(&self, command: &str, tell: &mut dyn FnMut(Event)) -> Result<Done, Failure> {
        tell(Event::Line { level: Level::Debug, text: command.to_owned() });
        let program =
            self.connection.command(command).map_err(|e| Failure::because("failed to run ssh", &e))?;
        let (mut stdout, mut said, mut lines) = (Tail::new(LONGEST), Said::default(), Lines::default());
        let ending = program
            .run(self.limits, |output, bytes| match output {
                Output::Out => stdout.push(bytes),
                Output::Err | Output::Report => lines.push(bytes, |line| keep(line, &mut said)),
            })
            .map_err(|e| Failure::because("failed to run ssh", &e))?;
        lines.flush(|line| keep(line, &mut said));
        if let Ending::Stopped | Ending::TimedOut = ending {
            return Err(trouble::ended(ending == Ending::Stopped));
        }
        let stdout = String::from_utf8(stdout.into_bytes()).map_err(|_| {
            Failure::failed(format!("{} prints bytes that are no text", self.settings.login.host))
        })?;
        Ok(Done { ending, stdout, said })
    }

    /// `None` where it ended well; else an answer, or a failure where there is nothing to be done about it.
    fn cannot(&self, what: &str, base: Option<&str>, done: &Done) -> Result<Option<Answer>, Failure> {
        if done.ending.is_clean() {
            return Ok(None);
        }
        let (why, reason) = self.known(base, done).ok_or_else(|| self.failure(what, done))?;
        Ok(Some(Answer::Cannot { why, reason }))
    }

    /// Why it did not end well, where that is something that can be dealt with.
    fn known(&self, base: Option<&str>, done: &Done) -> Option<(Why, String)> {
        let lines: Vec<&str> = done.said.lines().collect();
        let (why, line) = trouble::why(&lines, base)?;
        // ssh's own code, and zfs's of what cannot go on.
        let is_zfs = done.ending != Ending::Exited(255) || why == Why::TokenGone;
        is_zfs.then(|| (why, trouble::reason(why, line, self.settings)))
    }

    /// The same in words, whatever it was.
    fn reason(&self, what: &str, done: &Done) -> String {
        self.known(None, done).map_or_else(|| self.failure(what, done).reason, |(_, reason)| reason)
    }

    /// Why the source did not do `what`.
    fn failure(&self, what: &str, done: &Done) -> Failure {
        if let Ending::Stopped | Ending::TimedOut = done.ending {
            return trouble::ended(done.ending == Ending::Stopped);
        }
        let lines: Vec<&str> = done.said.lines().collect();
        let host = &self.settings.login.host;
        let reason = trouble::explain(&lines, self.settings, &self.place)
            .unwrap_or_else(|| format!("{host} did not {what}: ssh {}: {}", done.ending, done.said.ending()));
        let exit_code = if let Ending::Exited(code) = done.ending { Some(code) } else { None };
        Failure { exit_code, ..Failure::failed(reason) }
    }
}

/// Keeps a line. What zfs advises to do about clones is not for us to pass on: it is to destroy them.
fn keep(line: &[u8], said: &mut Said) {
    let line = printable(line);
    if !line.starts_with("use '-") {
        said.keep(&line);
    }
}

/// What `zfs send -vP` prints beside the stream.
#[derive(Debug, Default)]
struct Report {
    in_token: bool,
}

impl Report {
    /// Takes in a line: how much it is going to be, how far it is (which we know better), or trouble.
    ///
    /// ```text
    /// full    rpool/data@a    3171032
    /// size    3171032
    /// 10:02:03    1048576    rpool/data@a
    /// ```
    ///
    /// Before these, of a token: `resume token contents:`, `nvlist version: 0` and lines that begin with a tab.
    fn hear(&mut self, line: &[u8], said: &mut Said, stream: &mut Stream<'_>, tell: &mut dyn FnMut(Event)) {
        let line = printable(line);
        let mut columns = line.split('\t');
        match (columns.next(), columns.next(), columns.next()) {
            (Some("size"), Some(size), None) => {
                if let Ok(size) = size.parse() {
                    stream.expect(size);
                }
                self.in_token = false;
            }
            (Some("full" | "incremental"), Some(_), Some(_)) => {}
            (Some(time), Some(bytes), Some(_)) if is_time(time) && bytes.parse::<u64>().is_ok() => {}
            (Some("resume token contents:"), None, None) => self.in_token = true,
            (Some("" | "nvlist version: 0"), ..) if self.in_token => {}
            _ => {
                said.keep(&line);
                said.tell(Level::Warn, line, tell);
            }
        }
    }
}

fn is_time(text: &str) -> bool {
    text.len() == 8
        && text.char_indices().all(|(at, c)| if matches!(at, 2 | 5) { c == ':' } else { c.is_ascii_digit() })
}

/// Datasets are received, and no directory is filled.
pub(super) fn not_into_a_directory() -> Failure {
    Failure::failed("datasets of ZFS are received by the run, not into a directory")
}

/// What would come is known when there is a snapshot to send, and a dry run makes none.
pub(super) fn no_dry_run() -> Failure {
    Failure::failed(
        "there is no dry run of datasets: how much would come is known when the source has made a snapshot; \
         planb check --connect shows whether it may",
    )
}

#[cfg(test)]
mod tests;
