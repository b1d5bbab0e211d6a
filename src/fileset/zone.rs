//! Time zones: the only module that does zone arithmetic, on data that somebody else read.
//!
//! The bytes are a compiled zoneinfo file (`TZif`, RFC 9636). Everything outside speaks `time` types; `jiff` stays here.

use super::invalid::Invalid;
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::fmt;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// A time zone with its name as systemd and zoneinfo know it, for example `Europe/Amsterdam`.
#[derive(Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// What a local time of day means on a given date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// The usual case: exactly one instant.
    Once(OffsetDateTime),
    /// Daylight saving leaves this local time out. The instant that clocks show instead, as far behind the gap.
    Skipped(OffsetDateTime),
    /// Daylight saving ends and this local time comes twice: both instants, the earlier first.
    Twice(OffsetDateTime, OffsetDateTime),
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self { name: "UTC".into(), rules: TimeZone::UTC }
    }

    /// A zone from the bytes of its compiled zoneinfo file.
    pub fn from_tzif(name: &str, tzif: &[u8]) -> Result<Self, Invalid> {
        let rules = TimeZone::tzif(name, tzif)
            .map_err(|e| Invalid::new(format!("the zoneinfo file of {name} cannot be read: {e}")))?;
        Ok(Self { name: name.to_owned(), rules })
    }

    /// The zone's name, for example `Europe/Amsterdam`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same instant as this zone's clocks show it.
    pub fn show(&self, at: OffsetDateTime) -> OffsetDateTime {
        let stamp = timestamp(at);
        // The last hours of year 9999 have no local time east of Greenwich: they stay as they are.
        at.checked_to_offset(utc_offset(self.rules.to_offset(stamp))).unwrap_or(at)
    }

    /// The instants at which this zone's clocks show `local`.
    pub fn resolve(&self, local: PrimitiveDateTime) -> Local {
        let civil = jiff::civil::DateTime::new(
            i16::try_from(local.year()).unwrap_or(i16::MAX),
            i8::try_from(u8::from(local.month())).unwrap_or(1),
            i8::try_from(local.day()).unwrap_or(1),
            i8::try_from(local.hour()).unwrap_or(0),
            i8::try_from(local.minute()).unwrap_or(0),
            i8::try_from(local.second()).unwrap_or(0),
            0,
        );
        let Ok(civil) = civil else { return Local::Once(local.assume_utc()) };
        match self.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => Local::Once(local.assume_offset(utc_offset(offset))),
            AmbiguousOffset::Gap { before, .. } => {
                // Read with the offset before the gap, the instant lies just as far behind it.
                Local::Skipped(self.show(local.assume_offset(utc_offset(before))))
            }
            AmbiguousOffset::Fold { before, after } => {
                Local::Twice(local.assume_offset(utc_offset(before)), local.assume_offset(utc_offset(after)))
            }
        }
    }
}

fn timestamp(at: OffsetDateTime) -> jiff::Timestamp {
    // jiff's range (year -9999 to 9999) is that of `time`; the edges of it are clamped, not a panic.
    jiff::Timestamp::from_second(at.unix_timestamp()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn utc_offset(offset: jiff::tz::Offset) -> UtcOffset {
    // Both libraries hold offsets of at most 25:59:59; zoneinfo has none past 15:13:42.
    UtcOffset::from_whole_seconds(offset.seconds()).unwrap_or(UtcOffset::UTC)
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use time::macros::datetime;

    /// A zone of this machine's zoneinfo, for tests anywhere in the crate.
    pub(crate) fn zone(name: &str) -> Zone {
        let bytes = std::fs::read(format!("/usr/share/zoneinfo/{name}")).expect("zoneinfo (Debian: tzdata)");
        Zone::from_tzif(name, &bytes).expect("a good zoneinfo file")
    }

    #[test]
    fn daylight_saving_skips_and_repeats() {
        let amsterdam = zone("Europe/Amsterdam");
        assert_eq!(
            amsterdam.resolve(datetime!(2026-03-29 02:30)),
            Local::Skipped(datetime!(2026-03-29 03:30 +2))
        );
        assert_eq!(
            amsterdam.resolve(datetime!(2026-10-25 02:30)),
            Local::Twice(datetime!(2026-10-25 02:30 +2), datetime!(2026-10-25 02:30 +1))
        );
        assert_eq!(
            amsterdam.resolve(datetime!(2026-11-22 02:30)),
            Local::Once(datetime!(2026-11-22 02:30 +1))
        );
        assert_eq!(amsterdam.show(datetime!(2026-07-01 12:00 UTC)).hour(), 14);
    }
}
