//! A fileset's history under another name.
//!
//! What a record says of its run stays as it was, the dataset and the paths too: they were right when it was written.

use super::database::{Error, History};
use super::last::{self, Last};
use super::notice::Notice;
use super::{ATTEMPTS, ask, keep, open, spool};
use crate::fileset::name::Name;
use crate::fileset::record::Record;
use crate::host::paths::Paths;
use std::io;
use std::path::PathBuf;
use time::OffsetDateTime;

#[derive(Debug, thiserror::Error)]
pub enum RenameError {
    #[error(transparent)]
    History(#[from] Error),
    #[error("failed to replace {}", .file.display())]
    File { file: PathBuf, source: io::Error },
}

/// Gives all that is known of `old` to `new`. Call it with the locks of both. One that was interrupted is gone on with.
pub fn rename(
    paths: &Paths,
    old: &Name,
    new: &Name,
    now: OffsetDateTime,
) -> Result<Vec<Notice>, RenameError> {
    let mut notices = Vec::new();
    let mut known = last::load(paths, old, now, &mut notices);
    if let Some(last) = &mut known {
        if last.is_open() {
            // Nobody runs it: it was killed, and nobody has noticed yet.
            *last = last.clone().killed(None);
        }
        // The database need not have it yet.
        notices.extend(keep(paths, last, now));
    }
    if paths.history().exists() {
        in_database(paths, old, new, now, &mut notices)?;
    }
    spool::rename(paths, old, new).map_err(|(file, source)| RenameError::File { file, source })?;
    let (rebuilt, _) = ask(paths, now, |history| history.last(new))?;
    let last = rebuilt.or_else(|| {
        known.map(|last| Last { run: Record { fileset: new.clone(), ..last.run.clone() }, ..last })
    });
    if let Some(last) = last {
        last::save(paths, &last, &mut notices);
    }
    last::forget(paths, old).map_err(|(file, source)| RenameError::File { file, source })?;
    Ok(notices)
}

fn in_database(
    paths: &Paths,
    old: &Name,
    new: &Name,
    now: OffsetDateTime,
    notices: &mut Vec<Notice>,
) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        let history = open(paths, now, notices)?;
        match history.rename(old, new) {
            Ok(()) if history.is_in_place() => return Ok(()),
            Ok(()) => {}
            Err(error) if error.is_damage() => notices.extend(history.set_aside(now, &error)?),
            Err(error) => return Err(error),
        }
    }
    Err(Error::Unsettled { path: paths.history() })
}

impl History {
    fn rename(&self, old: &Name, new: &Name) -> Result<(), Error> {
        let failed = |source| self.failure("write", source);
        let transaction = self.begin()?;
        let names = (new.as_str(), old.as_str());
        transaction.execute("UPDATE run SET fileset = ?1 WHERE fileset = ?2", names).map_err(failed)?;
        transaction.commit().map_err(failed)
    }
}
