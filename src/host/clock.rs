//! The only place that reads the clock.

use time::{Duration, OffsetDateTime};

/// The clock to go by: the system's, or one that was set to another time and goes on from there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    ahead: Duration,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that shows `now` at this moment.
    pub fn showing(now: OffsetDateTime) -> Self {
        Self { ahead: now - Self::system().now() }
    }

    /// The time now, UTC.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_clock_that_was_set_goes_on_from_there() {
        let clock = Clock::showing(datetime!(2001-02-03 04:05 UTC));
        let (first, then) = (clock.now(), clock.now());
        assert!(first >= datetime!(2001-02-03 04:05 UTC) && then >= first);
        assert_eq!(first.date(), datetime!(2001-02-03 04:05 UTC).date());
    }
}
