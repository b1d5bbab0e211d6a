//! Proofs that a source allows what its fileset needs and nothing more. Like a rehearsal it takes neither the fileset nor a
//! slot, writes nothing down and tells no hook.

use super::carry::{Scratch, tell};
use super::rehearsal::forgetful;
use crate::config::Fileset;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::paths::Paths;
use crate::host::process::Limits;
use crate::host::signals::Stop;
use crate::storage;
use crate::transport;
use crate::transport::source::proof::{self, Proof};
use std::fs::File;
use std::io;
use std::time::Instant;

/// Tries what the source allows, and tells each proof as it comes. Whether there was anything to prove.
pub fn prove(
    paths: &Paths,
    fileset: &Fileset,
    id: &str,
    stop: &Stop,
    proven: &mut dyn FnMut(Proof),
) -> io::Result<bool> {
    let scratch = Scratch::make(&paths.runtime_dir("rehearsal").join(id))?;
    let known_hosts = forgetful(paths, &scratch)?;
    // As a run would ask: what is written in place is asked for with another option, which a source's rules may not have.
    let writes = match fileset.storage.settings {
        storage::Settings::Directory { .. } => Writes::Linked { reference: None },
        storage::Settings::Btrfs { .. } | storage::Settings::Zfs { .. } => Writes::InPlace,
    };
    let workspace = Workspace::new(scratch.path().join("nothing"), writes);
    let job = transport::Job {
        name: &fileset.name,
        workspace: &workspace,
        limits: Limits { stop, deadline: Some(Instant::now() + fileset.timeout.duration()) },
        scratch: scratch.path(),
        known_hosts: &known_hosts,
        home: &paths.state(),
        variables: &[],
        hold: File::open("/dev/null")?,
    };
    let mut tell = |event| tell(&fileset.name, event, &mut |_| ());
    Ok(proof::prove(&fileset.transport, job, &mut tell, proven).is_some())
}
