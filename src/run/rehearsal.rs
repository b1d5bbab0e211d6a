//! A run that only looks: what would come, what would go, what would be refused. It takes neither the fileset nor a slot,
//! writes nothing down and tells no hook.

use super::attempt::{self, Cut};
use super::carry::{Scratch, tell};
use super::visit::Visit;
use super::{Event, Host, Request, gate, guard};
use crate::config::Fileset;
use crate::fileset::reason::chain;
use crate::fileset::record::Outcome;
use crate::fileset::snapshot::Automatic;
use crate::fileset::workspace::{Workspace, Writes};
use crate::history::last;
use crate::host::paths::Paths;
use crate::host::presence::Presence;
use crate::host::process::Limits;
use crate::storage::{Errand, Listed, SnapshotName, Storage, User};
use crate::transport::{self, Rehearsal};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;
use time::OffsetDateTime;

/// What a run would come to.
#[derive(Debug)]
pub struct Rehearsed {
    pub transfer: Rehearsal,
    /// The newest snapshot, which all of it is told against.
    pub against: Option<SnapshotName>,
    /// Why the guard would let none of it become history.
    pub refused: Option<String>,
    pub snapshot: SnapshotName,
    /// What retention would destroy then.
    pub destroyed: Vec<Automatic>,
}

/// Goes through a run without doing any of it. The error is what the run would come to instead, and why.
pub fn rehearse(
    host: &Host<'_>,
    fileset: &Fileset,
    request: &Request,
    mut watch: impl FnMut(Event<'_>),
) -> Result<Rehearsed, (Outcome, String)> {
    look(host, fileset, request, &mut watch).map_err(|cut| (cut.outcome, cut.reason))
}

fn look(
    host: &Host<'_>,
    fileset: &Fileset,
    request: &Request,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<Rehearsed, Cut> {
    let (name, now) = (&fileset.name, host.clock.now());
    gate::unchanging(host.paths, name).map_err(|closed| Cut::new(Outcome::Failure, closed.to_string()))?;
    gate::hours(fileset, request.trigger, now)
        .map_err(|closed| Cut::new(Outcome::Deferred, closed.to_string()))?;
    let storage = Storage::new(&fileset.storage.settings, host.paths);
    gate::room(fileset, storage.space(&fileset.dataset)?)
        .map_err(|closed| Cut::new(Outcome::Failure, closed.to_string()))?;
    let mut listed = storage.snapshots(&fileset.dataset)?;

    let transfer = {
        // What is compared with must be there to be seen.
        let _visit = match listed.last() {
            Some(_) => Some(Visit::begin(host.paths, fileset, &storage, looker(now), host.stop)?),
            None => None,
        };
        transfer(host, fileset, request, listed.last(), watch)?
    };

    let failed = |what: &str, why: String| Cut::new(Outcome::Failure, format!("failed to {what}: {why}"));
    let before = last::read(host.paths, name).map_err(|e| failed("read the last run", chain(&e)))?;
    let refused = match (fileset.guard.max_shrink, before.as_ref().and_then(attempt::last_totals)) {
        (Some(limit), Some(before)) if !request.accept_shrink => {
            guard::shrink(name.as_str(), before, transfer.totals, limit)
                .err()
                .map(|shrunk| shrunk.to_string())
        }
        _ => None,
    };
    let against = listed.last().map(|there| there.name.clone());
    let snapshot = attempt::name_at(request, now);
    if !listed.iter().any(|there| there.name == snapshot) {
        listed.push(Listed { name: snapshot.clone(), path: "".into(), used: None, referenced: None });
    }
    let destroyed = if refused.is_some() { Vec::new() } else { attempt::plan(fileset, &listed).destroy };
    Ok(Rehearsed { transfer, against, refused, snapshot, destroyed })
}

/// Who looks, for those who want to close the dataset meanwhile.
fn looker(now: OffsetDateTime) -> User {
    let who = "planb run --dry-run".to_owned();
    User { errand: Errand::Look, who, since: Some(now), process: Presence::own() }
}

fn transfer(
    host: &Host<'_>,
    fileset: &Fileset,
    request: &Request,
    newest: Option<&Listed>,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<Rehearsal, Cut> {
    let failed = |error: io::Error| {
        Cut::new(Outcome::Failure, format!("failed to make a directory for the rehearsal: {error}"))
    };
    let scratch = Scratch::make(&host.paths.runtime_dir("rehearsal").join(&request.id)).map_err(failed)?;
    let known_hosts = forgetful(host.paths, &scratch).map_err(failed)?;
    let nothing = scratch.path().join("nothing");
    // Told apart from what may be linked or resumed: only what is in history counts as there.
    let workspace = newest.map_or(nothing, |newest| newest.path.clone());
    let workspace = Workspace::new(workspace, Writes::InPlace);
    let job = transport::Job {
        name: &fileset.name,
        workspace: &workspace,
        limits: Limits { stop: host.stop, deadline: Some(Instant::now() + fileset.timeout.duration()) },
        scratch: scratch.path(),
        known_hosts: &known_hosts,
        home: &host.paths.state(),
        variables: &[],
        hold: File::open("/dev/null").map_err(failed)?,
    };
    let timeout = fileset.timeout.duration();
    watch(Event::Transferring { until: host.clock.now() + timeout });
    let rehearsal =
        transport::rehearse(&fileset.transport, job, &mut |event| tell(&fileset.name, event, watch))?;
    Ok(rehearsal)
}

/// The known hosts, for as long as the scratch directory is there: a host whose key is not known yet is taken for what
/// it says, and forgotten again.
pub(super) fn forgetful(paths: &Paths, scratch: &Scratch) -> io::Result<PathBuf> {
    let copy = scratch.path().join("known_hosts.d");
    copy_files(&paths.known_hosts(), &copy)?;
    Ok(copy)
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
