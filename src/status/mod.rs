//! How every fileset is: one truth, from which `list`, `status`, `monitor`, `metrics`, `top`, Zabbix and D-Bus all speak.
//!
//! It is reckoned from what is there: the configuration, the snapshots that a storage lists and what it says of itself, the
//! records of runs, the live state, the timers that systemd has, where keys lie. Whether a fileset is fresh is asked of its
//! snapshots, never of what a run once said: a snapshot that is gone is no success to anybody. Nothing here changes anything,
//! and no view adds a fact of its own.

pub mod due;
pub mod entry;
pub mod gather;
pub mod health;
pub mod storages;
pub mod sum;
#[cfg(test)]
mod tests;
pub mod timers;

pub use entry::{Entry, KeyState, State};
pub use gather::Sources;
pub use health::{Level, Problem};
pub use storages::StorageStatus;

use crate::fileset::record::Record;
use due::Due;
use std::time::Duration;
use time::OffsetDateTime;

/// What is known of one fileset.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// What programs and people are shown of it.
    pub entry: Entry,
    /// Its last run as it was written down: without a result while it goes on.
    pub run: Option<Record>,
    /// The longest that a run of it has taken of late.
    pub longest: Duration,
    /// When it has to have another snapshot. Absent where that cannot be said: it is disabled or invalid, or its snapshots
    /// could not be seen.
    pub due: Option<Due>,
    /// What somebody should look at, the worst first, where that was asked for: [`Sources::judging`].
    pub problems: Vec<Problem>,
}

impl Status {
    /// The worst that there is to say.
    pub fn level(&self) -> Level {
        self.problems.iter().map(|problem| problem.level).max().unwrap_or(Level::Ok)
    }

    /// How old its newest snapshot is, in seconds. A clock can have been wrong: what is yet to come is no age at all.
    pub fn age_s(&self, now: OffsetDateTime) -> Option<u64> {
        self.entry.newest_snapshot.map(|newest| seconds(now - newest))
    }
}

/// Whole seconds, none where it is negative.
pub fn seconds(span: time::Duration) -> u64 {
    u64::try_from(span.whole_seconds()).unwrap_or(0)
}
