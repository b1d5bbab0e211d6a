//! The plan on the disk, from before its first step until after its last.

use super::{Error, Plan};
use crate::history::file;
use crate::host::paths::Paths;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;

/// The only one there is.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Journal<P> {
    version: u32,
    #[serde(flatten)]
    plan: P,
}

pub fn write(paths: &Paths, plan: &Plan) -> Result<(), Error> {
    let written = serde_json::to_vec_pretty(&Journal { version: VERSION, plan }).map_err(io::Error::from);
    written.and_then(|json| file::replace(&paths.change(), &json)).map_err(failed(paths, "write"))
}

pub fn read(paths: &Paths) -> Result<Option<Plan>, Error> {
    let bytes = match fs::read(paths.change()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(failed(paths, "read"))?,
    };
    let journal: Journal<Plan> =
        serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(failed(paths, "understand"))?;
    if journal.version != VERSION {
        return Err(failed(paths, "understand")(io::Error::other("it is of another version of PlanB")));
    }
    Ok(Some(journal.plan))
}

pub fn remove(paths: &Paths) -> Result<(), Error> {
    let removed = fs::remove_file(paths.change()).and_then(|()| File::open(paths.state())?.sync_all());
    removed.map_err(failed(paths, "remove"))
}

fn failed(paths: &Paths, what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { what, path: paths.change(), source }
}
