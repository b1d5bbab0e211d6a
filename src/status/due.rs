//! When a fileset has to have another snapshot.
//!
//! Not a period after the last one: a daily fileset that was backed up by hand at noon is due in the night, one with
//! blacklist hours when these are over, a weekly one next week. So the schedule's own starts are counted from the newest
//! snapshot, and to each is added how long runs have taken of late, and some slack.

use crate::config::Fileset;
use crate::fileset::schedule::ShiftedHours;
use std::time::Duration;
use time::OffsetDateTime;

/// What a run may take beyond the longest of late: a retry, or a queue.
const SLACK: Duration = Duration::from_secs(3600);
/// And where runs are more frequent than that: their period, but never less than this.
const LEAST_SLACK: Duration = Duration::from_secs(600);

/// A snapshot's name tells the minute in which it was made: the starts of that minute are behind it.
const MINUTE: Duration = Duration::from_secs(59);

/// Until when there has to be another snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Then one start has come to nothing.
    pub warning: OffsetDateTime,
    /// Then two have.
    pub critical: OffsetDateTime,
}

/// The ages of a snapshot from which on it is too old, where the schedule does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Given {
    pub warning: Option<Duration>,
    pub critical: Option<Duration>,
}

impl Due {
    /// Of a fileset whose newest snapshot is of `since` and whose runs have taken `longest` at most. `None` if its schedule
    /// has no further start.
    pub fn of(
        fileset: &Fileset,
        since: OffsetDateTime,
        longest: Duration,
        shifted: ShiftedHours,
    ) -> Option<Self> {
        let first = fileset.next_run(since + MINUTE, shifted)?;
        let second = fileset.next_run(first, shifted).unwrap_or(first + fileset.period());
        let grace = longest + slack(fileset);
        Some(Self { warning: first + grace, critical: second + grace })
    }

    /// With the ages that somebody gave.
    #[must_use]
    pub fn or_given(this: Option<Self>, given: Given, since: OffsetDateTime) -> Option<Self> {
        let at = |age: Option<Duration>| age.map(|age| since + age);
        // Who gives one of the two means that one: it moves the other out of its way.
        match (at(given.warning), at(given.critical), this) {
            (Some(warning), Some(critical), _) => Some(Self { warning, critical }),
            (Some(warning), None, this) => {
                Some(Self { warning, critical: this.map_or(warning, |due| due.critical.max(warning)) })
            }
            (None, Some(critical), this) => {
                Some(Self { warning: this.map_or(critical, |due| due.warning.min(critical)), critical })
            }
            (None, None, this) => this,
        }
    }
}

fn slack(fileset: &Fileset) -> Duration {
    fileset.period().clamp(LEAST_SLACK, SLACK)
}

/// The age that a snapshot may reach at most before it is late, whenever it was made: for who can compare with one number
/// alone.
pub fn oldest_age(
    fileset: &Fileset,
    now: OffsetDateTime,
    longest: Duration,
    shifted: ShiftedHours,
) -> Duration {
    let zone = &fileset.timezone;
    let gap = fileset.schedule.longest_gap(now, &fileset.name, &fileset.blacklist_hours, zone, shifted);
    gap.max(fileset.period()) + longest + slack(fileset)
}
