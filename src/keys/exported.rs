//! When a fileset's key was last exported, and which one it was: `/var/lib/planb/keys/NAME.json`. A key of which there
//! is no copy elsewhere is lost with the machine, and all backups with it; so somebody has to remember.

use super::key::Fingerprint;
use crate::fileset::name::Name;
use crate::history::file;
use crate::host::paths::Paths;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;
use time::OffsetDateTime;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    pub fileset: Name,
    #[serde(rename = "exported", with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Of the key that was exported. The key of now may be another one.
    pub fingerprint: Fingerprint,
}

fn path(paths: &Paths, fileset: &Name) -> PathBuf {
    paths.exported_keys().join(format!("{fileset}.json"))
}

/// `None` where it never was, as far as anybody knows: a record that cannot be read is none.
pub fn read(paths: &Paths, fileset: &Name) -> Option<Exported> {
    let exported: Exported = serde_json::from_slice(&fs::read(path(paths, fileset)).ok()?).ok()?;
    Some(exported).filter(|exported| exported.fileset == *fileset)
}

/// The exported key is no longer the one.
pub fn forget(paths: &Paths, fileset: &Name) {
    // Where it cannot be removed, its fingerprint still tells.
    let _ = fs::remove_file(path(paths, fileset));
}

pub fn write(paths: &Paths, exported: &Exported) -> io::Result<()> {
    let mut json = serde_json::to_vec(exported)?;
    json.push(b'\n');
    file::replace(&path(paths, &exported.fileset), &json)
}
