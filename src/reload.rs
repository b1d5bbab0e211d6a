//! Making systemd follow the configuration: `planb reload`, and planb-reload.service after every change and at boot.
//!
//! One daemon-reload for however many changes; then timers are started, restarted and stopped by name. Runs that go on
//! are never touched. A fileset whose file became invalid keeps the schedule it had ([`kept`]): a slip of the pen must
//! not be the silent end of a backup.

mod kept;
mod plan;
mod recover;

pub use plan::{Plan, Seen};
pub use recover::recover;

use crate::config::{self, Configuration};
use crate::generator;
use crate::host::lock::{self, Lock};
use crate::host::paths::Paths;
use crate::host::systemd;
use crate::run::retry;
use kept::Kept;
use nix::unistd::Uid;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::{fs, io};

/// How often one call starts over because the configuration changed while it was at work.
const ROUNDS: usize = 10;

/// The fingerprint of the configuration that systemd follows, below the runtime directory.
const FOLLOWED: &str = "followed";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to see what is")]
    Look { source: systemd::Error },
    #[error("failed to make systemd follow the configuration")]
    Change { source: systemd::Error },
    #[error("failed to keep the schedules of invalid files ({path})")]
    Keep { path: PathBuf, source: io::Error },
    #[error("failed to lock {path}")]
    Lock { path: PathBuf, source: io::Error },
}

/// What was done, or would be.
#[derive(Debug)]
pub struct Done {
    pub configuration: Configuration,
    pub plan: Plan,
}

impl Done {
    /// Whether nothing is backed up by itself any more, although something is meant to be. On a machine that has no
    /// filesets yet there is nothing to miss.
    pub fn leaves_nothing(&self) -> bool {
        let Self { configuration, plan } = self;
        let meant =
            !configuration.filesets.is_empty() || !configuration.invalid.is_empty() || !plan.stop.is_empty();
        meant && plan.timers == 0
    }
}

/// What would be done.
pub fn rehearse(paths: &Paths, user: Uid) -> Result<Done, Error> {
    let configuration = config::load(paths, user);
    let plan = look(paths, &configuration)?;
    Ok(Done { configuration, plan })
}

/// Does it, until the configuration is what it was when that began.
pub fn reload(paths: &Paths, user: Uid) -> Result<Done, Error> {
    let path = paths.runtime_dir("reload.lock");
    let locked = lock::directory(&paths.runtime()).and_then(|()| Lock::take(&path));
    let _lock = locked.map_err(|source| Error::Lock { path, source })?;
    let mut total: Option<Plan> = None;
    for _ in 0..ROUNDS {
        let before = fingerprint(paths);
        let done = once(paths, user)?;
        let plan = match total.take() {
            Some(earlier) => earlier.then(done.plan),
            None => done.plan,
        };
        if fingerprint(paths) == before {
            remember(paths, &before);
            return Ok(Done { configuration: done.configuration, plan });
        }
        total = Some(plan);
    }
    // Somebody writes without end. The next change starts us again.
    let done = once(paths, user)?;
    let plan = total.unwrap_or_default().then(done.plan);
    Ok(Done { configuration: done.configuration, plan })
}

fn once(paths: &Paths, user: Uid) -> Result<Done, Error> {
    let configuration = config::load(paths, user);
    let mut plan = look(paths, &configuration)?;
    let kept = Kept::new(paths);
    let keep = |source| Error::Keep { path: kept.directory().to_owned(), source };
    // First what invalid filesets had, because systemd's next look at the generator will no longer find it.
    let changed = kept.keep(&plan.keep).map_err(keep)?;
    if changed || plan.differs {
        let change = |source| Error::Change { source };
        systemd::reload().map_err(change)?;
        systemd::stop(&plan::units(&plan.stop)).map_err(change)?;
        systemd::activate(&plan::units(&plan.start)).map_err(change)?;
        systemd::restart(&plan::units(&plan.restart)).map_err(change)?;
    } else if !plan.is_empty() {
        let change = |source| Error::Change { source };
        systemd::stop(&plan::units(&plan.stop)).map_err(change)?;
        systemd::activate(&plan::units(&plan.start)).map_err(change)?;
    }
    // Those who are not backed up any more are not tried again either.
    plan.stop.iter().filter_map(|name| name.parse().ok()).for_each(|name| retry::cancel(paths, &name));
    plan.timers = active(&timers().map_err(|source| Error::Look { source })?).len();
    Ok(Done { configuration, plan })
}

fn look(paths: &Paths, configuration: &Configuration) -> Result<Plan, Error> {
    let files = plan::by_path(generator::files(configuration));
    let loaded = timers().map_err(|source| Error::Look { source })?;
    let seen = Seen {
        active: active(&loaded),
        generated: kept::generated(&kept::generator_directory()),
        kept: Kept::new(paths).names(),
    };
    Ok(Plan::new(configuration, &files, &seen))
}

/// The timers of filesets that systemd knows, by the fileset's name, with their state.
fn timers() -> Result<Vec<(String, String)>, systemd::Error> {
    let units = systemd::list("planb@*.timer")?;
    let name = |unit: &str| Some(unit.strip_prefix("planb@")?.strip_suffix(".timer")?.to_owned());
    Ok(units.into_iter().filter_map(|(unit, active)| Some((name(&unit)?, active))).collect())
}

fn active(timers: &[(String, String)]) -> BTreeSet<String> {
    timers.iter().filter(|(_, state)| state == "active").map(|(name, _)| name.clone()).collect()
}

/// Whether the configuration is another one than systemd was last made to follow.
pub fn is_due(paths: &Paths) -> bool {
    fs::read_to_string(paths.runtime_dir(FOLLOWED)).ok() != Some(fingerprint(paths))
}

fn remember(paths: &Paths, fingerprint: &str) {
    let path = paths.runtime_dir(FOLLOWED);
    if let Err(error) = fs::write(&path, fingerprint) {
        // Then the next look finds a difference and follows once more.
        log::debug!("failed to write {}: {error}", path.display());
    }
}

/// What changes whenever somebody changes the configuration: name, file, size and time of each file.
fn fingerprint(paths: &Paths) -> String {
    let drop_ins = paths.drop_ins();
    let entries = drop_ins.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten();
    let files = entries.filter_map(|entry| Some(entry.ok()?.path())).chain([paths.settings()]);
    let mut lines: Vec<String> = files
        .map(|path| match fs::metadata(&path) {
            Ok(meta) => {
                let (inode, size, changed, nanoseconds) =
                    (meta.ino(), meta.len(), meta.ctime(), meta.ctime_nsec());
                format!("{inode} {size} {changed}.{nanoseconds:09} {}\n", path.display())
            }
            Err(_) => format!("{}\n", path.display()),
        })
        .collect();
    lines.sort();
    lines.concat()
}
