//! Snapshots that a transfer makes itself (`snapshots = "own"` of [exec]): the run looks for one, and tells what may have stood
//! in its way.

use super::attempt::{Cut, Made, Surroundings};
use crate::fileset::record::Outcome;
use crate::storage::Listed;

/// The snapshot that was not there `before`.
pub fn made(s: &Surroundings<'_>, before: &[Listed]) -> Result<Made, Cut> {
    let listed = s.storage.snapshots(&s.fileset.dataset)?;
    let new = listed.iter().rev().find(|now| !before.iter().any(|then| then.name == now.name));
    if let Some(new) = new {
        return Ok((new.name.clone(), new.path.clone()));
    }
    let allowed = allowing(s).map(|call| format!(" (and it must be allowed: {call})")).unwrap_or_default();
    let why = format!(
        "the transfer ended well, but made no snapshot that is listed: its name has to be $PLANB_SNAPSHOT{allowed}, or \
         snapshots = \"own\" has to go"
    );
    Err(Cut::new(Outcome::Failure, why))
}

/// With what helps a program that may not make its snapshot: all it can do is to repeat what zfs says, which names no remedy.
pub fn explained(s: &Surroundings<'_>, cut: Cut) -> Cut {
    let is_refused = s.fileset.transport.makes_snapshots() && cut.reason.contains("permission denied");
    match allowing(s).filter(|_| is_refused) {
        Some(call) => Cut { reason: format!("{}; to let it make snapshots: {call}", cut.reason), ..cut },
        None => cut,
    }
}

fn allowing(s: &Surroundings<'_>) -> Option<String> {
    s.fileset.storage.settings.granting_snapshots(&s.fileset.dataset)
}
