//! The rsync transport: over ssh, from an rsync daemon, or from a path of this machine.
//!
//! One rsync process makes the workspace equal to the source. What it may do is in `arguments`, what its end means in
//! `verdict`; this file is the order of things.

pub mod admission;
mod arguments;
mod filter;
mod metadata;
mod output;
pub mod remote;
mod said;
pub mod settings;
mod verdict;
pub mod words;

use super::said::printable;
use super::{Event, Failure, Job, Rehearsal, ssh};
use crate::fileset::progress::Transferred;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::output::Lines;
use crate::host::process::{Input, Program, Stream};
use log::Level;
use output::{Meter, ShareOf, Statistics};
use said::Said;
use settings::{Metadata, Settings, Source};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often progress is told: a source of small files would make rsync report thousands of times a second.
const PROGRESS: Duration = Duration::from_millis(250);

/// Makes the workspace equal to the source.
pub fn pull(settings: &Settings, job: Job<'_>, tell: &mut dyn FnMut(Event)) -> Result<Transferred, Failure> {
    let workspace = job.workspace;
    if let Source::Local(_) = settings.source {
        not_now(Path::new(remote::DO_NOT_RUN))?;
    }
    let kept = metadata::kept(settings.metadata, workspace.path(), tell)?;
    let (transferred, _) = go(settings, job, kept, None, tell)?;
    all_there(settings, kept.metadata, workspace.path(), tell)?;
    Ok(transferred)
}

/// Finds out what would have to be done to make the workspace equal to the source.
pub fn rehearse(
    settings: &Settings,
    job: Job<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<Rehearsal, Failure> {
    if let Source::Local(_) = settings.source {
        not_now(Path::new(remote::DO_NOT_RUN))?;
    }
    let kept = metadata::found(settings.metadata, job.workspace.path());
    let (_, statistics) = go(settings, job, kept, Some(REHEARSAL), tell)?;
    statistics.rehearsed().ok_or_else(|| Failure::failed("rsync did not say what it would do"))
}

/// Finds out whether the source can be read at all. Nothing but its top directory is looked at.
pub fn knock(settings: &Settings, job: Job<'_>, tell: &mut dyn FnMut(Event)) -> Result<(), Failure> {
    let nothing = "*".parse().map_err(|_| Failure::failed("failed to exclude everything"))?;
    let settings = Settings { exclude: vec![nothing], ..settings.clone() };
    let kept = metadata::found(settings.metadata, job.workspace.path());
    go(&settings, job, kept, Some(REHEARSAL), tell).map(drop)
}

/// What keeps rsync from every change: with it, each of its system calls that would make one does nothing. No flag that
/// a fileset may have takes it back.
const REHEARSAL: &str = "--dry-run";

fn go(
    settings: &Settings,
    job: Job<'_>,
    kept: metadata::Kept,
    option: Option<&str>,
    tell: &mut dyn FnMut(Event),
) -> Result<(Transferred, Statistics), Failure> {
    let workspace = job.workspace;
    let place = ssh::Place { known_hosts: job.known_hosts, home: job.home };
    let share_of = share_of(workspace);
    let filter = job.scratch.join("filter");
    fs::write(&filter, filter::rules(&settings.include, &settings.exclude))
        .map_err(|e| Failure::because(format!("failed to write {}", filter.display()), &e))?;
    let ssh_config = match &settings.source {
        Source::Ssh(ssh) => ssh::prepare(job.name, &ssh.login, place, job.scratch, job.limits)
            .map_err(|e| Failure::because("failed to prepare ssh", &e))?,
        Source::Local(_) | Source::Daemon(_) => job.scratch.join("ssh.conf"),
    };

    let files = arguments::Files { filter: &filter, ssh: &ssh_config };
    let rsync = Program::find("rsync")
        .map_err(|e| Failure::because("failed to run rsync", &e))?
        .args(option)
        .args(arguments::arguments(settings, kept, workspace, files))
        .stdin(Input::File(job.hold))
        .stalls_after(settings.stall_timeout.duration().max(Duration::from_secs(1)));
    let command = rsync.argv().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    tell(Event::Line { level: Level::Debug, text: command });

    let mut listener = Listener::new(share_of, tell);
    let ending = rsync
        .run(job.limits, |stream, bytes| listener.hear(stream, bytes))
        .map_err(|e| Failure::because("failed to run rsync", &e))?;
    let (said, statistics) = listener.finish();
    let transferred = verdict::judge(ending, &said, &statistics, settings, &place)?;
    Ok((transferred, statistics))
}

/// Defers while the directory on this very machine has files.
fn not_now(dir: &Path) -> Result<(), Failure> {
    let names = match fs::read_dir(dir) {
        Ok(entries) => entries
            .filter_map(Result::ok)
            .map(|entry| printable(entry.file_name().as_encoded_bytes()))
            .filter(|name| !name.starts_with('.'))
            .collect::<Vec<_>>(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Failure::because(format!("failed to look into {}", dir.display()), &error)),
    };
    if names.is_empty() {
        return Ok(());
    }
    Err(Failure::deferred(verdict::deferral("this host", &names.join(" "))))
}

/// A first transfer is measured in bytes, a later one in files.
fn share_of(workspace: &Workspace) -> ShareOf {
    let fresh = fs::read_dir(workspace.path()).is_ok_and(|mut entries| entries.next().is_none());
    match workspace.writes() {
        Writes::Linked { reference: None } => ShareOf::Bytes,
        Writes::InPlace if fresh => ShareOf::Bytes,
        Writes::InPlace | Writes::Linked { .. } => ShareOf::Files,
    }
}

/// Looks whether what was included by name came. rsync takes a name that the source does not have for a rule that
/// matched nothing, so a slip of the pen would be a success without the files.
fn all_there(
    settings: &Settings,
    metadata: Metadata,
    workspace: &Path,
    tell: &mut dyn FnMut(Event),
) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for pattern in &settings.include {
        let Some(path) = filter::plain_path(pattern) else { continue };
        match fs::symlink_metadata(workspace.join(&path)) {
            Ok(found) if is_link(&workspace.join(&path), &found, metadata) => {
                tell(Event::Degraded(format!(
                    "the include /{path} is a symbolic link on the source: the link is kept, not what it points to"
                )));
            }
            Ok(_) => {}
            Err(_) => missing.push(format!("/{path}")),
        }
    }
    if missing.len() == settings.include.len() {
        return Err(Failure::failed(format!(
            "the source has nothing of what is included ({}): check `include` and `source`",
            missing.join(", ")
        )));
    }
    if !missing.is_empty() {
        tell(Event::Degraded(format!(
            "included, but not on the source (or excluded): {}",
            missing.join(", ")
        )));
    }
    Ok(())
}

/// A symbolic link of the source, which `--fake-super` keeps as a file with the link's mode in an attribute.
fn is_link(path: &Path, found: &fs::Metadata, metadata: Metadata) -> bool {
    found.is_symlink()
        || metadata == Metadata::Full
            && found.is_file()
            && xattr::get(path, "user.rsync.%stat")
                .is_ok_and(|stat| stat.is_some_and(|s| s.starts_with(b"120")))
}

/// Takes rsync's two outputs apart while they come.
struct Listener<'a> {
    tell: &'a mut dyn FnMut(Event),
    out: Lines,
    err: Lines,
    heard: Heard,
}

struct Heard {
    meter: Meter,
    told: Option<Instant>,
    statistics: Statistics,
    said: Said,
}

impl<'a> Listener<'a> {
    fn new(share_of: ShareOf, tell: &'a mut dyn FnMut(Event)) -> Self {
        let heard = Heard {
            meter: Meter::new(share_of),
            told: None,
            statistics: Statistics::default(),
            said: Said::default(),
        };
        Self { tell, out: Lines::default(), err: Lines::default(), heard }
    }

    fn hear(&mut self, stream: Stream, bytes: &[u8]) {
        let Self { tell, out, err, heard } = self;
        match stream {
            Stream::Out => out.push(bytes, |line| heard.output(line, tell)),
            Stream::Err | Stream::Report => err.push(bytes, |line| heard.said.hear(line, tell)),
        }
    }

    fn finish(self) -> (Said, Statistics) {
        let Self { tell, mut out, mut err, mut heard } = self;
        out.flush(|line| heard.output(line, tell));
        err.flush(|line| heard.said.hear(line, tell));
        (heard.said, heard.statistics)
    }
}

impl Heard {
    fn output(&mut self, line: &[u8], tell: &mut dyn FnMut(Event)) {
        let line = printable(line);
        if let Some(progress) = self.meter.read(&line) {
            if self.told.is_none_or(|told| told.elapsed() >= PROGRESS) {
                self.told = Some(Instant::now());
                tell(Event::Progress(progress));
            }
        } else if !self.statistics.read(&line) && !line.trim().is_empty() {
            self.said.tell(Level::Info, line, tell);
        }
    }
}

#[cfg(test)]
pub(in crate::transport) mod tests;
