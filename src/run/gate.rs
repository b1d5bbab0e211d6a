//! The gate: whether a run may begin at all.

use super::unfinished::Unfinished;
use crate::config::Fileset;
use crate::fileset::name::Name;
use crate::fileset::quantity::Size;
use crate::fileset::record::Trigger;
use crate::host::paths::Paths;
use crate::storage::Space;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a run does not begin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    #[error("`{command}` was interrupted: call it again, and it comes to its end")]
    Changing { command: String },
    #[error("whether a change of this fileset was interrupted cannot be told: {why}")]
    Unknown { why: String },
    #[error("blacklist hours: not before {opening}")]
    Hours { opening: String },
    #[error(
        "the storage has {available} free of {total}, less than min-free = \"{limit}\" asks for: make room \
         (`planb prune {fileset}`, fewer periods in `retain`, a larger storage)"
    )]
    Room { available: Size, total: Size, limit: String, fileset: String },
}

/// Lets no run pass whose fileset is half of the old name and half of the new one.
pub fn unchanging(paths: &Paths, fileset: &Name) -> Result<(), Closed> {
    match Unfinished::find(paths) {
        Ok(Some(change)) if change.filesets.contains(fileset) => {
            Err(Closed::Changing { command: change.command })
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Closed::Unknown { why: format!("{}: {error}", paths.change().display()) }),
    }
}

/// Lets only runs pass in blacklisted hours that a person asked for: a person means now.
pub fn hours(fileset: &Fileset, trigger: Trigger, now: OffsetDateTime) -> Result<(), Closed> {
    if trigger == Trigger::Manual || fileset.blacklist_hours.is_allowed(now, &fileset.timezone) {
        return Ok(());
    }
    let opening = fileset.blacklist_hours.next_open(now, &fileset.timezone);
    let opening = opening.and_then(|at| fileset.timezone.show(at).format(&Rfc3339).ok());
    Err(Closed::Hours { opening: opening.unwrap_or_else(|| "an allowed hour".into()) })
}

/// Asks for at least `min-free` of the storage.
pub fn room(fileset: &Fileset, space: Space) -> Result<(), Closed> {
    match fileset.guard.min_free {
        Some(limit) if space.available < limit.of(space.total) => Err(Closed::Room {
            available: Size::from_bytes(space.available),
            total: Size::from_bytes(space.total),
            limit: limit.to_string(),
            fileset: fileset.name.to_string(),
        }),
        _ => Ok(()),
    }
}
