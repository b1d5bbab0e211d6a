//! All filesets in a few figures.

use super::{KeyState, State, Status, seconds};
use crate::fileset::record::Outcome;
use serde::Serialize;
use time::OffsetDateTime;

/// How many filesets are what, and the ages, in seconds, of what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sum {
    pub filesets: usize,
    pub enabled: usize,
    pub disabled: usize,
    /// Their file is wrong.
    pub invalid: usize,
    pub queued: usize,
    pub running: usize,
    /// Enabled ones whose last run came to nothing.
    pub failed: usize,
    /// Enabled ones whose newest snapshot is too old, or that have none in time.
    pub overdue: usize,
    /// Encrypted ones whose key is not there.
    pub keyless: usize,
    /// Of the fileset that was backed up last.
    pub latest_success_age: Option<u64>,
    /// Of the enabled fileset whose last backup is longest ago.
    pub oldest_success_age: Option<u64>,
    /// Since the last attempt that came to nothing, of those that failed.
    pub latest_failure_age: Option<u64>,
    /// Since the first one, of the fileset that has been failing for longest.
    pub oldest_failure_age: Option<u64>,
}

impl Sum {
    pub fn of(all: &[Status], now: OffsetDateTime) -> Self {
        let count = |wanted: &dyn Fn(&Status) -> bool| all.iter().filter(|status| wanted(status)).count();
        let enabled = |status: &Status| status.entry.enabled == Some(true);
        let age = |at: OffsetDateTime| seconds(now - at);
        let successes: Vec<u64> =
            all.iter().filter(|s| enabled(s)).filter_map(|s| s.entry.last_success).map(age).collect();
        let failing: Vec<&Status> =
            all.iter().filter(|status| enabled(status) && has_failed(status)).collect();
        let attempts = failing.iter().filter_map(|status| status.entry.last_run.map(age));
        let firsts = failing.iter().filter_map(|status| status.entry.first_failure.map(age));
        Self {
            filesets: all.len(),
            enabled: count(&enabled),
            disabled: count(&|status| status.entry.enabled == Some(false)),
            invalid: count(&|status| status.entry.state == State::Invalid),
            queued: count(&|status| status.entry.state == State::Queued),
            running: count(&|status| status.entry.state == State::Running),
            failed: failing.len(),
            overdue: count(&|status| is_overdue(status, now)),
            keyless: count(&|status| enabled(status) && status.entry.key == Some(KeyState::Missing)),
            latest_success_age: successes.iter().min().copied(),
            oldest_success_age: successes.iter().max().copied(),
            latest_failure_age: attempts.min(),
            oldest_failure_age: firsts.max(),
        }
    }
}

/// Whether its last run, or the one before the run that goes on, came to nothing.
fn has_failed(status: &Status) -> bool {
    status.entry.first_failure.is_some() || status.entry.last_result.is_some_and(Outcome::is_failure)
}

pub fn is_overdue(status: &Status, now: OffsetDateTime) -> bool {
    status.due.is_some_and(|due| now > due.warning)
}
