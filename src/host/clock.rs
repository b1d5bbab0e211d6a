//! The only place that reads the clock.

use time::OffsetDateTime;

/// The time now, UTC.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
