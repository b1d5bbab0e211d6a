//! Calendar expressions of systemd.time(7), read and reckoned as systemd 252 to 257 do.
//!
//! They are what timers get, so this room answers questions that must not wait for a timer: is the expression right,
//! when does it elapse next. Nothing here may be cleverer than systemd: a difference is a lie in `planb list`. The
//! tests compare with `systemd-analyze calendar`.

mod field;
mod list;
mod parse;
#[cfg(test)]
pub(super) mod systemd;
#[cfg(test)]
mod tests;
pub mod weekdays;

pub use field::Field;

use super::invalid::Invalid;
use super::zone::{Local, Zone};
use std::fmt;
use std::str::FromStr;
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};
use weekdays::Weekdays;

/// systemd reckons no further.
const LAST_YEAR: u32 = 2199;
/// Microseconds in a second: the resolution of an expression.
const MICROS: u32 = 1_000_000;

/// A calendar expression, for example `Mon..Fri *-*-* 03:00:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// As it was written, without blanks around it; in full where systemd would trip over what was written.
    text: String,
    weekdays: Weekdays,
    year: Field,
    month: Field,
    day: Field,
    /// The days are counted from the month's end, the last being 1 (`*-*~01`).
    from_end: bool,
    hour: Field,
    minute: Field,
    /// Seconds and their fractions, in microseconds.
    micros: Field,
    /// Read in UTC whatever the fileset's zone.
    utc: bool,
}

impl Calendar {
    /// At that minute of those hours, on the days that are all three: of the weekdays, of the months, of the days.
    pub fn at(weekdays: Weekdays, month: Field, day: Field, hour: Field, minute: u32) -> Self {
        let mut calendar = Self {
            text: String::new(),
            weekdays,
            year: Field::ANY,
            month,
            day,
            from_end: false,
            hour,
            minute: Field::one(minute),
            micros: Field::one(0),
            utc: false,
        };
        calendar.text = calendar.to_string();
        calendar
    }

    /// As it was written, or in full where systemd would trip over what was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is read in UTC whatever the fileset's zone.
    pub fn is_utc(&self) -> bool {
        self.utc
    }

    /// The value of `OnCalendar=` in the given zone.
    pub fn on_calendar(&self, zone: &Zone) -> String {
        if self.utc { self.text.clone() } else { format!("{} {zone}", self.text) }
    }

    /// The weekdays it may elapse on.
    pub fn weekdays(&self) -> Weekdays {
        self.weekdays
    }

    /// Whether it may elapse in that hour of a day.
    pub fn in_hour(&self, hour: u8) -> bool {
        self.hour.matches(hour.into())
    }

    /// When it elapses next after `at`, in `zone`; nothing if it never does again before the year 2200.
    ///
    /// What daylight saving skips does not elapse. What it repeats elapses once, the first time it comes, unless `at`
    /// lies between the two. (For days counted from the month's end systemd may take
    /// the second time: there this is an hour early, never late.)
    pub fn next_after(&self, at: OffsetDateTime, zone: &Zone) -> Option<OffsetDateTime> {
        let show = |at: OffsetDateTime| if self.utc { at.to_offset(UtcOffset::UTC) } else { zone.show(at) };
        let local = show(at);
        let mut from = PrimitiveDateTime::new(local.date(), local.time())
            .replace_microsecond(local.microsecond())
            .ok()?
            .checked_add(Duration::MICROSECOND)?;
        loop {
            let elapse = self.local_from(from)?;
            let next = match self.resolve(elapse, zone) {
                Local::Once(next) => Some(next),
                Local::Twice(first, _) if first > at => Some(first),
                Local::Twice(_, second) => Some(second),
                Local::Skipped(_) => None,
            };
            if let Some(next) = next.filter(|&next| next > at) {
                return Some(show(next));
            }
            // Local times are left out by the whole minute: go on behind this one.
            from =
                elapse.replace_second(0).ok()?.replace_nanosecond(0).ok()?.checked_add(Duration::MINUTE)?;
        }
    }

    /// The instants of a local time. systemd goes by whole hours: where an hour's beginning is moved into another
    /// hour (only Chatham's daylight saving begins off the hour), all of the hour is skipped.
    fn resolve(&self, local: PrimitiveDateTime, zone: &Zone) -> Local {
        if self.utc {
            return Local::Once(local.assume_utc());
        }
        match zone.resolve(local.replace_time(Time::MIDNIGHT) + Duration::hours(local.hour().into())) {
            moved @ Local::Skipped(to) if to.hour() != local.hour() => moved,
            _ => zone.resolve(local),
        }
    }

    /// The first local time from `from` on that matches.
    fn local_from(&self, from: PrimitiveDateTime) -> Option<PrimitiveDateTime> {
        let date = self.date_from(from.date())?;
        if date == from.date() {
            if let Some(time) = self.time_from(from.time()) {
                return Some(date.with_time(time));
            }
            let date = self.date_from(date.next_day()?)?;
            return Some(date.with_time(self.time_from(Time::MIDNIGHT)?));
        }
        Some(date.with_time(self.time_from(Time::MIDNIGHT)?))
    }

    fn date_from(&self, from: Date) -> Option<Date> {
        let start = [from.year().unsigned_abs(), u32::from(u8::from(from.month())), u32::from(from.day())];
        let mut year_from = start[0];
        while let Some(year) = self.year.first_from(year_from, LAST_YEAR) {
            let mut month_from = if year == start[0] { start[1] } else { 1 };
            while let Some(number) = self.month.first_from(month_from, 12) {
                let mut day_from = if [year, number] == start[..2] { start[2] } else { 1 };
                let (signed, month) = (year.cast_signed(), Month::try_from(u8::try_from(number).ok()?).ok()?);
                let length = u32::from(month.length(signed));
                let from_end = self.from_end.then(|| self.day.counted_back(length));
                let days = from_end.as_ref().unwrap_or(&self.day);
                while let Some(day) = days.first_from(day_from, length) {
                    let date = Date::from_calendar_date(signed, month, u8::try_from(day).ok()?).ok()?;
                    if self.weekdays.contains(date.weekday()) {
                        return Some(date);
                    }
                    day_from = day + 1;
                }
                month_from = number + 1;
            }
            year_from = year + 1;
        }
        None
    }

    /// The first time of the day from `from` on that matches.
    fn time_from(&self, from: Time) -> Option<Time> {
        let start = [u32::from(from.hour()), u32::from(from.minute())];
        let micros = u32::from(from.second()) * MICROS + from.microsecond();
        let mut hour_from = start[0];
        while let Some(hour) = self.hour.first_from(hour_from, 23) {
            let mut minute_from = if hour == start[0] { start[1] } else { 0 };
            while let Some(minute) = self.minute.first_from(minute_from, 59) {
                let micros_from = if [hour, minute] == start { micros } else { 0 };
                if let Some(found) = self.micros.first_from(micros_from, 60 * MICROS - 1) {
                    let part = |number: u32| u8::try_from(number).ok();
                    return Time::from_hms_micro(
                        part(hour)?,
                        part(minute)?,
                        part(found / MICROS)?,
                        found % MICROS,
                    )
                    .ok();
                }
                minute_from = minute + 1;
            }
            hour_from = hour + 1;
        }
        None
    }
}

impl FromStr for Calendar {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let trimmed = text.trim();
        let before = text.len() - text.trim_start().len();
        parse::parse(trimmed).map_err(|invalid| Invalid {
            at: invalid.at.map(|at| at.start + before..at.end + before),
            ..invalid
        })
    }
}

impl fmt::Display for Calendar {
    /// In full, as systemd normalizes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weekdays != Weekdays::ALL {
            write!(f, "{} ", self.weekdays)?;
        }
        self.year.write(f, 4, 1)?;
        f.write_str("-")?;
        self.month.write(f, 2, 1)?;
        f.write_str(if self.from_end { "~" } else { "-" })?;
        self.day.write(f, 2, 1)?;
        f.write_str(" ")?;
        self.hour.write(f, 2, 1)?;
        f.write_str(":")?;
        self.minute.write(f, 2, 1)?;
        f.write_str(":")?;
        self.micros.write(f, 2, MICROS)?;
        if self.utc { f.write_str(" UTC") } else { Ok(()) }
    }
}
