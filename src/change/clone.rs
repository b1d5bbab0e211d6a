//! A copy for another source: `planb clone NAME NEW --host HOST`.

use super::step::Step;
use super::{Error, Hands, Plan, drop_in, require_free};
use crate::config::{self, Configuration, Fileset};
use crate::fileset::name::Name;
use crate::run::unfinished::Unfinished;
use crate::storage::Storage;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// What it takes to back up `host` as the fileset backs up its own. It gets a dataset and a key of its own, or is refused.
pub fn clone(
    hands: Hands<'_>,
    configuration: &Configuration,
    like: &Fileset,
    new: &Name,
    host: &str,
    command: String,
) -> Result<Plan, Error> {
    let paths = hands.paths;
    if let Some(file) = drop_in::all(paths, new).first() {
        return Err(Error::Refused(format!("{} is there already: choose another name", file.display())));
    }
    let text = config::text(paths, hands.user, &like.file).map_err(|wrong| Error::Invalid(vec![wrong]))?;
    let text = config::for_host(&text, host).ok_or_else(|| {
        let name = &like.name;
        Error::Refused(format!(
            "{name} has no host that could be another one: it backs up a path of this machine"
        ))
    })?;
    let file = drop_in::own(paths, new);
    let cloned = config::judged(paths, hands.user, &file, text.clone()).map_err(Error::Invalid)?;
    require_free(configuration, &cloned, None)?;
    let storage = Storage::new(&cloned.storage.settings, paths);
    if storage.datasets()?.iter().any(|held| held.name == cloned.dataset) {
        let (dataset, storage) = (&cloned.dataset, &cloned.storage.name);
        let message = format!(
            "storage {storage} has a dataset {dataset} already (see planb stale): choose another name"
        );
        return Err(Error::Refused(message));
    }
    // Whoever may read the one may read the other.
    let mode = fs::metadata(&like.file).map_or(0o644, |metadata| metadata.mode() & 0o644);
    let steps = vec![Step::Write { file, text, mode }];
    Ok(Plan { of: Unfinished { command, filesets: vec![new.clone()] }, steps, notes: Vec::new() })
}
