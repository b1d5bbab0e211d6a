//! A change of filesets that was begun and did not come to its end: as long as that is so, half of what is theirs may have
//! its old name and half its new one. Who makes changes writes the file; here it is only looked at.

use crate::fileset::name::Name;
use crate::host::paths::Paths;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;

/// What everybody may know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// What brings it to its end, as a person would type it.
    pub command: String,
    /// The filesets that wait for that.
    pub filesets: Vec<Name>,
}

impl Unfinished {
    /// The change that is under way, or was interrupted.
    pub fn find(paths: &Paths) -> io::Result<Option<Self>> {
        match fs::read(paths.change()) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
