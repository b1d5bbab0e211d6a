//! The transfer unit from within: not root, with the network, in a sandbox. Reads its job, fills the workspace, and
//! tells what it came to. It knows nothing but the job, and decides nothing about the run.

use super::here::Scratch;
use super::job::{self, Job};
use super::said::Mouth;
use super::told::{self, CameTo, Outcome};
use super::{pipes_of, serve};
use crate::fileset::name::Name;
use crate::host::lock::Lock;
use crate::host::paths::Paths;
use crate::host::process::Limits;
use crate::host::signals::Stop;
use crate::host::status;
use crate::transport::{self, Transport, Verdict};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often progress is written down.
const PACE: Duration = Duration::from_secs(1);

/// Why a job could not even be begun, or its end not be told.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("failed to lock {}", .path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("another transfer of {fileset} is under way")]
    Busy { fileset: Name },
    #[error("failed to make {}", .path.display())]
    Scratch { path: PathBuf, source: io::Error },
    #[error("failed to open a file in {} to say something into", .path.display())]
    Mouth { path: PathBuf, source: io::Error },
    #[error("failed to share the lock")]
    Share { source: io::Error },
    #[error("failed to tell what it came to")]
    Tell { source: io::Error },
}

/// Carries the job out. `None`: it is done; else why there is nothing to keep.
pub fn carry(paths: &Paths, job: &Job, stop: &Stop) -> Result<Option<Verdict>, Failed> {
    let name = &job.fileset;
    let hold = job::hold(paths, name);
    let lock = Lock::try_take_of(&hold).map_err(|source| Failed::Lock { path: hold, source })?;
    let lock = lock.ok_or_else(|| Failed::Busy { fileset: name.clone() })?;
    let directory = paths.transfer(name);
    let path = directory.join("scratch");
    let scratch = Scratch::make(&path).map_err(|source| Failed::Scratch { path, source })?;

    let mut mouth = Mouth::open(&directory, &job.id)
        .map_err(|source| Failed::Mouth { path: directory.clone(), source })?;
    let mut told: Option<Instant> = None;
    let handed = transport::Job {
        name,
        workspace: &job.workspace,
        limits: Limits { stop, deadline: Some(Instant::now() + job.timeout.duration()) },
        scratch: scratch.path(),
        known_hosts: &job.known_hosts,
        home: &job.home,
        variables: &job.variables,
        hold: lock.share().map_err(|source| Failed::Share { source })?,
    };
    status::say("asking the source what there is");
    let mut tell = |event| match event {
        transport::Event::Progress(progress) => {
            if told.is_none_or(|told| told.elapsed() >= PACE) {
                told = Some(Instant::now());
                // A look at the progress is not worth the transfer.
                let _ = told::progress(&directory, &progress);
                if let Some(fraction) = progress.fraction {
                    status::say(&format!("{:.0}% transferred", fraction * 100.0));
                }
            }
        }
        transport::Event::Line { level, text } => mouth.say(level, &text),
        transport::Event::Degraded(what) => mouth.say(log::Level::Warn, &what),
    };
    let done = match (&job.transport, job.copy) {
        (Transport::Zfs(settings), Some(copy)) => {
            serve::serve(settings, copy, &pipes_of(paths, name), &handed, &mut tell)
        }
        (transport, _) => transport::transfer(transport, handed, &mut tell),
    };
    let (verdict, came_to) = match done {
        Ok(transferred) => (None, CameTo::Done(transferred)),
        Err(failure) => (Some(failure.verdict), CameTo::Nothing(failure)),
    };
    told::outcome(&directory, &Outcome { id: job.id.clone(), came_to })
        .map_err(|source| Failed::Tell { source })?;
    Ok(verdict)
}
