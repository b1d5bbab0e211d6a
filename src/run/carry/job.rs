//! What the transfer unit is to do: `jobs/NAME.json`, and the lock that a living transfer holds, `jobs/NAME.lock`.
//!
//! Both are root's and the transfer's to read. All that a transfer needs is in the job, so that it need not see the
//! configuration of this fileset, let alone of others.

use crate::fileset::name::Name;
use crate::fileset::quantity::Span;
use crate::fileset::replica::CopyId;
use crate::fileset::workspace::Workspace;
use crate::host::account::Account;
use crate::host::lock;
use crate::host::paths::Paths;
use crate::transport::Transport;
use nix::unistd::{Gid, fchown};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// More than any job is: thousands of patterns.
const LONGEST: u64 = 16 << 20;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The run's.
    pub id: String,
    pub fileset: Name,
    pub transport: Transport,
    pub workspace: Workspace,
    pub known_hosts: PathBuf,
    pub home: PathBuf,
    pub variables: Vec<(String, String)>,
    pub timeout: Span,
    /// Which copy of the source it is about, of a transport that takes orders.
    #[serde(default)]
    pub copy: Option<CopyId>,
}

fn directory(paths: &Paths) -> PathBuf {
    paths.runtime_dir("jobs")
}

fn file(paths: &Paths, fileset: &Name) -> PathBuf {
    directory(paths).join(format!("{fileset}.json"))
}

/// Held by whoever writes into the fileset's workspace from a unit of its own.
pub fn hold(paths: &Paths, fileset: &Name) -> PathBuf {
    directory(paths).join(format!("{fileset}.lock"))
}

impl Job {
    /// Hands the job over. Call it before the unit starts: what the unit sees is what is there then.
    pub fn hand_over(&self, paths: &Paths, account: Account) -> io::Result<HandedOver> {
        let (path, directory) = (file(paths, &self.fileset), directory(paths));
        lock::directory(&directory)?;
        lock::provide(&hold(paths, &self.fileset), account.gid)?;
        replace(&path, &serde_json::to_vec(self)?, account.gid)?;
        Ok(HandedOver(path))
    }

    /// The job of this fileset, for who carries it out.
    pub fn read(paths: &Paths, fileset: &Name) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(file(paths, fileset))?.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

/// Takes a job away that a killed run left.
pub fn take_back(paths: &Paths, fileset: &Name) {
    let _ = fs::remove_file(file(paths, fileset));
}

/// A job that waits for its transfer or is being carried out; taken away when dropped.
#[derive(Debug)]
pub struct HandedOver(PathBuf);

impl Drop for HandedOver {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes a file that `group` may read and nobody else, whole or not at all.
pub fn replace(path: &Path, bytes: &[u8], group: Gid) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file = File::options().write(true).create_new(true).mode(0o640).open(&new)?;
    fchown(&file, None, Some(group))?;
    file.write_all(bytes)?;
    fs::rename(&new, path)
}
