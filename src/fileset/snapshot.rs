//! Snapshot names: which are ours to destroy, which a person keeps, and which are nobody's business of ours.
//!
//! A name is all a snapshot tells about itself, so a name is read strictly or not at all: what is not exactly one of
//! ours is foreign, and foreign snapshots are left alone. `planb-20260102T0304Z` is automatic, `LABEL-20260102T0304Z`
//! is kept by hand; the time is UTC, to the minute.
//!
//! The minute is the finest a name can say. Of two runs within one minute the second finds its name taken. It may
//! wait for the next minute or give up as busy, but must not borrow a later minute: a name in the future would be a
//! lie that retention believes.

use super::invalid::Invalid;
use super::name;
use super::word::word;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use time::macros::datetime;
use time::{Date, Month, OffsetDateTime, UtcOffset};

/// What stands in the label's place in an automatic snapshot's name.
const AUTOMATIC: &str = "planb";

/// The name of an automatic snapshot, and nothing else: what calls that destroy take.
///
/// It holds the time only. The name is written from it, so there is no other text that could slip through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Automatic(OffsetDateTime);

impl Automatic {
    /// The name of a snapshot made at this instant. Two instants within one minute have the same name.
    pub fn at(time: OffsetDateTime) -> Self {
        Self(to_minute(time))
    }

    /// The instant in its name, in UTC.
    pub fn time(self) -> OffsetDateTime {
        self.0
    }
}

impl FromStr for Automatic {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match Snapshot::from(text) {
            Snapshot::Automatic(automatic) => Ok(automatic),
            Snapshot::Kept(_) | Snapshot::Foreign(_) => Err(Invalid::new(format!(
                "{text:?} is not the name of an automatic snapshot: these are written as \"planb-20260102T0304Z\""
            ))),
        }
    }
}

impl fmt::Display for Automatic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, AUTOMATIC, self.0)
    }
}

word!(
    /// Why a person keeps a snapshot, in one word of the alphabet of names.
    Label,
    |text| {
        if text == AUTOMATIC {
            return Err(Invalid::new(
                "the label \"planb\" marks automatic snapshots, which are not kept: choose another label",
            ));
        }
        name::check("label", text)
    }
);

/// The name of a snapshot that a person keeps: retention never destroys it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kept {
    label: Label,
    time: OffsetDateTime,
}

impl Kept {
    /// The name of a snapshot made at this instant. Two instants within one minute have the same name.
    pub fn at(label: Label, time: OffsetDateTime) -> Self {
        Self { label, time: to_minute(time) }
    }

    /// The instant in its name, in UTC.
    pub fn time(&self) -> OffsetDateTime {
        self.time
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, self.label.as_str(), self.time)
    }
}

/// Any snapshot's name. Reading one cannot fail: what is not ours is foreign.
///
/// Ordered by time, then by name; foreign ones, which have no time that we could trust, come last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Snapshot {
    Automatic(Automatic),
    Kept(Kept),
    Foreign(String),
}

impl Snapshot {
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// The instant in its name, in UTC, of a name that is ours.
    pub fn time(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Automatic(automatic) => Some(automatic.time()),
            Self::Kept(kept) => Some(kept.time()),
            Self::Foreign(_) => None,
        }
    }

    fn ours(text: &str) -> Option<Self> {
        // At the last '-', as labels have dashes too.
        let (label, stamp) = text.rsplit_once('-')?;
        let time = read_stamp(stamp)?;
        if label == AUTOMATIC {
            return Some(Self::Automatic(Automatic(time)));
        }
        Some(Self::Kept(Kept { label: label.parse().ok()?, time }))
    }
}

impl From<&str> for Snapshot {
    fn from(text: &str) -> Self {
        Self::ours(text).unwrap_or_else(|| Self::Foreign(text.to_owned()))
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Automatic(automatic) => automatic.fmt(f),
            Self::Kept(kept) => kept.fmt(f),
            Self::Foreign(name) => f.pad(name),
        }
    }
}

impl Ord for Snapshot {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Automatic(one), Self::Automatic(two)) => one.cmp(two),
            (Self::Foreign(one), Self::Foreign(two)) => one.cmp(two),
            (Self::Foreign(_), _) => Ordering::Greater,
            (_, Self::Foreign(_)) => Ordering::Less,
            _ => self.time().cmp(&other.time()).then_with(|| self.name().cmp(&other.name())),
        }
    }
}

impl PartialOrd for Snapshot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The start of the minute, in UTC.
///
/// A name has four digits for the year. Linux keeps its clock between 1970 and 2262, so no instant that was read from
/// it is ever moved by the clamp; it is there so that no caller has to handle an error that cannot happen.
fn to_minute(time: OffsetDateTime) -> OffsetDateTime {
    let (first, last) = (datetime!(0000-01-01 00:00 UTC), datetime!(9999-12-31 23:59 UTC));
    time.clamp(first, last).to_offset(UtcOffset::UTC).truncate_to_minute()
}

fn write_name(f: &mut fmt::Formatter<'_>, label: &str, at: OffsetDateTime) -> fmt::Result {
    let month = u8::from(at.month());
    let (year, day, hour, minute) = (at.year(), at.day(), at.hour(), at.minute());
    f.pad(&format!("{label}-{year:04}{month:02}{day:02}T{hour:02}{minute:02}Z"))
}

/// Reads `20260102T0304Z`. All digits have their fixed place, so no second text has the same meaning.
fn read_stamp(text: &str) -> Option<OffsetDateTime> {
    let bytes: &[u8; 14] = text.as_bytes().try_into().ok()?;
    if (bytes[8], bytes[13]) != (b'T', b'Z') {
        return None;
    }
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[4..6])?, number(&bytes[6..8])?);
    let (hour, minute) = (number(&bytes[9..11])?, number(&bytes[11..13])?);
    let small = |number: u16| u8::try_from(number).ok();
    let date =
        Date::from_calendar_date(year.into(), Month::try_from(small(month)?).ok()?, small(day)?).ok()?;
    Some(date.with_hms(small(hour)?, small(minute)?, 0).ok()?.assume_utc())
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |number: u16, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn automatic_names_are_the_minute_in_utc() {
        let at = Automatic::at(datetime!(2026-01-02 04:04:59.9 +1));
        assert_eq!(at.to_string(), "planb-20260102T0304Z");
        assert_eq!(at.time(), datetime!(2026-01-02 03:04 UTC));
        assert_eq!("planb-20260102T0304Z".parse(), Ok(at));
        assert_eq!(
            "planb-20240229T2359Z".parse::<Automatic>().map(|name| name.to_string()),
            Ok("planb-20240229T2359Z".into())
        );
    }

    #[test]
    fn years_that_a_name_cannot_say_end_at_its_limits() {
        assert_eq!(Automatic::at(datetime!(-0044-03-15 12:00 UTC)).to_string(), "planb-00000101T0000Z");
        assert_eq!(Automatic::at(datetime!(9999-12-31 23:59:59 -12)).to_string(), "planb-99991231T2359Z");
    }

    #[test]
    fn what_is_not_exactly_an_automatic_name_is_none() {
        for wrong in [
            "",
            "planb",
            "planb-",
            "planb-20260102T0304",
            "planb-20260102T0304Z ",
            " planb-20260102T0304Z",
            "planb-20260102T0304Z\n",
            "planb-20260102T030400Z",
            "planb-20260102t0304z",
            "planb-2026-01-02T0304Z",
            "planb-20260102T0304+",
            "planb-+2260102T0304Z",
            "planb-20260229T0304Z", // not a leap year
            "planb-20260431T0304Z",
            "planb-20261301T0304Z",
            "planb-20260100T0304Z",
            "planb-20260102T2400Z",
            "planb-20260102T0360Z",
            "planb-２０２６0102T0304Z",
            "planb--20260102T0304Z",
            "PLANB-20260102T0304Z",
            "tank/web1@planb-20260102T0304Z",
            "../planb-20260102T0304Z",
            "planb-20260102T0304Z/../x",
            "planb-20260102T0304Z-20260102T0304Z",
            "-20260102T0304Z",
            "20260102T0304Z",
        ] {
            assert_eq!(Snapshot::from(wrong), Snapshot::Foreign(wrong.to_owned()));
            assert!(wrong.parse::<Automatic>().is_err(), "{wrong:?}");
        }
        assert!("before-upgrade-20260102T0304Z".parse::<Automatic>().is_err());
    }

    #[test]
    fn labels_may_have_dashes_but_not_our_own_name() {
        let label: Label = "before-upgrade-2".parse().expect("a good label");
        let kept = Kept::at(label.clone(), datetime!(2026-01-02 03:04:05 UTC));
        assert_eq!(kept.to_string(), "before-upgrade-2-20260102T0304Z");
        let read = Snapshot::from("before-upgrade-2-20260102T0304Z");
        assert_eq!(read, Snapshot::Kept(kept.clone()));
        assert_eq!((&kept.label, kept.time()), (&label, datetime!(2026-01-02 03:04 UTC)));
        assert_eq!(Snapshot::from("planb-x-20260102T0304Z").time(), Some(datetime!(2026-01-02 03:04 UTC)));
        for bad in ["planb", "", "Upgrade", "a b", "-a", "a-", "a/b", "a@b", &"x".repeat(64)] {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(63).parse::<Label>().is_ok());
    }

    #[test]
    fn snapshots_are_in_order_of_time_then_name_then_foreign() {
        let mut names = [
            "zfs-auto",
            "b-20260102T0304Z",
            "planb-20260102T0305Z",
            "a-20260102T0304Z",
            "planb-20260102T0304Z",
            "auto",
        ]
        .map(Snapshot::from);
        names.sort();
        assert_eq!(
            names.map(|snapshot| snapshot.name()),
            [
                "a-20260102T0304Z",
                "b-20260102T0304Z",
                "planb-20260102T0304Z",
                "planb-20260102T0305Z",
                "auto",
                "zfs-auto"
            ]
        );
    }

    proptest! {
        #[test]
        fn every_name_is_read_back_as_it_was_written(
            text in prop_oneof![
                ".*",
                "[a-z.-]{0,8}-[0-9]{8}T[0-9]{4}Z",
                "(planb|a-b)-[0-2][0-9]{3}[01][0-9][0-3][0-9]T[0-2][0-9][0-5][0-9]Z",
            ],
        ) {
            prop_assert_eq!(Snapshot::from(text.as_str()).name(), text);
        }

        #[test]
        fn every_instant_makes_a_name_of_its_minute(unix in 0_i64..7_258_118_400) {
            let time = OffsetDateTime::from_unix_timestamp(unix).expect("in range");
            let made = Automatic::at(time);
            prop_assert_eq!(made.to_string().parse(), Ok(made));
            let late = (time - made.time()).whole_seconds();
            prop_assert!((0..60).contains(&late), "{} is {} s late", made, late);
        }
    }
}
