//! When a fileset is backed up.
//!
//! For `hourly` to `yearly` the exact start is chosen here (`start`), spread over what the blacklist hours and daylight
//! saving (`shifted`) leave; a calendar expression is taken at its word. Both become systemd calendar expressions, and
//! the same expressions answer when the next start is: there is one truth, the timer's.

mod shifted;
mod start;
#[cfg(test)]
mod tests;

pub use shifted::ShiftedHours;

use super::calendar::Calendar;
use super::hours::BlacklistHours;
use super::invalid::Invalid;
use super::name::Name;
use super::quantity::Span;
use super::retention::Period;
use super::zone::Zone;
use std::str::FromStr;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// `hourly`, `daily`, `weekly`, `monthly`, `yearly` (we choose the exact time) or a systemd calendar expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    Every(Period),
    Calendar(Calendar),
}

/// From where an expression is judged, as nothing here knows what time it is: none of it is older than this program.
const EPOCH: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// How long an expression is followed to an elapse outside the blacklist hours: in 40 years every date, the 29th of
/// February too, falls on every day of the week, although 2100 has none.
const HORIZON: Duration = Duration::days(40 * 366);
/// And through how many blacklisted windows: those of 8 years with one a day.
const WINDOWS: usize = 3_000;

/// How many gaps between elapses tell an expression's period.
const GAPS: usize = 64;

/// How many starts are looked at for the longest pause: those of two weeks with one a minute.
const MOST_STARTS: usize = 20_160;

impl Schedule {
    /// Refuses a schedule that never fires outside the blacklist hours.
    ///
    /// An expression must have an elapse outside them within 40 years of 2026 and 3,000 windows of blacklist hours.
    pub fn check(&self, hours: &BlacklistHours, zone: &Zone) -> Result<(), Invalid> {
        hours.check()?;
        let Self::Calendar(calendar) = self else { return Ok(()) };
        // Where no hour of a weekday is both allowed and in the expression, no date need be tried. One in UTC has no
        // fixed hours on the zone's clocks.
        let common = |day| (0..24).any(|hour| calendar.in_hour(hour) && !hours.contains(day, hour));
        let possible = calendar.is_utc() || calendar.weekdays().iter().any(common);
        if possible && next_allowed(calendar, EPOCH, hours, zone).is_some() {
            return Ok(());
        }
        Err(Invalid::new(if calendar.next_after(EPOCH, zone).is_none() {
            "this schedule never fires: its dates are past or do not exist".to_owned()
        } else {
            format!("this schedule never fires outside the blacklist hours ({hours})")
        }))
    }

    /// The calendar expressions that start the fileset called `name`, for [`Calendar::on_calendar`]. Most often one;
    /// several where the hours left differ between weekdays.
    ///
    /// - hourly: one minute of the hour, in every hour that is left.
    /// - daily: one time in the hours left on all days of the week; if there are none, a time for each day, on days
    ///   that have hours left.
    /// - weekly: one time in the hours left of the week.
    /// - monthly and yearly: one time in the hours left on all days of the week, on one of the days 1 to 28 (of one
    ///   month); if there are none, on the first to fourth of one weekday.
    ///
    /// From daily on, hours that daylight saving can skip or repeat are used only where no other is left.
    pub fn start_times(&self, name: &Name, hours: &BlacklistHours, shifted: ShiftedHours) -> Vec<Calendar> {
        match self {
            Self::Every(period) => start::choose(*period, name, hours, shifted),
            Self::Calendar(calendar) => vec![calendar.clone()],
        }
    }

    /// The first start after `after`: an elapse of the timer outside the blacklist hours.
    ///
    /// Elapses are followed for 40 years and through 3,000 windows of blacklist hours.
    pub fn next_start(
        &self,
        after: OffsetDateTime,
        name: &Name,
        hours: &BlacklistHours,
        zone: &Zone,
        shifted: ShiftedHours,
    ) -> Option<OffsetDateTime> {
        let calendars = self.start_times(name, hours, shifted);
        calendars.iter().filter_map(|calendar| next_allowed(calendar, after, hours, zone)).min()
    }

    /// The longest pause between two starts from `after` on: of two weeks, and of thirteen starts at least, in which a month
    /// has every length.
    pub fn longest_gap(
        &self,
        after: OffsetDateTime,
        name: &Name,
        hours: &BlacklistHours,
        zone: &Zone,
        shifted: ShiftedHours,
    ) -> std::time::Duration {
        let calendars = self.start_times(name, hours, shifted);
        let next =
            |at: OffsetDateTime| calendars.iter().filter_map(|c| next_allowed(c, at, hours, zone)).min();
        let starts = std::iter::successors(next(after), |start| next(*start));
        let near = |(nth, start): &(usize, OffsetDateTime)| *nth < 13 || *start - after < Duration::weeks(2);
        let starts: Vec<_> = starts.take(MOST_STARTS).enumerate().take_while(near).collect();
        let gaps = starts.windows(2).map(|pair| pair[1].1 - pair[0].1);
        gaps.max().unwrap_or_default().unsigned_abs()
    }

    /// How far apart its starts are: the nominal length of a period (a month is 30 days, a year 365), for an expression
    /// the median of the gaps between its elapses from 2026 on, a day if there are not even two.
    ///
    /// Starts may lie further apart: at night, where the day is blacklisted. When the next one is due tells
    /// [`Self::next_start`].
    pub fn period(&self) -> Span {
        const DAY: u64 = 86_400;
        Span::from_secs(match self {
            Self::Every(Period::Hour) => 3600,
            Self::Every(Period::Day) => DAY,
            Self::Every(Period::Week) => 7 * DAY,
            Self::Every(Period::Month) => 30 * DAY,
            Self::Every(Period::Year) => 365 * DAY,
            Self::Calendar(calendar) => {
                let next = |at: &OffsetDateTime| calendar.next_after(*at, &Zone::utc());
                let elapses: Vec<_> = std::iter::successors(next(&EPOCH), next).take(GAPS + 1).collect();
                let mut gaps: Vec<_> = elapses.windows(2).map(|pair| pair[1] - pair[0]).collect();
                gaps.sort_unstable();
                gaps.get(gaps.len() / 2).map_or(DAY, |gap| gap.whole_seconds().unsigned_abs().max(1))
            }
        })
    }
}

/// The first elapse after `after` outside the blacklist hours.
fn next_allowed(
    calendar: &Calendar,
    after: OffsetDateTime,
    hours: &BlacklistHours,
    zone: &Zone,
) -> Option<OffsetDateTime> {
    let end = after.checked_add(HORIZON)?;
    let mut from = after;
    for _ in 0..WINDOWS {
        let elapse = calendar.next_after(from, zone).filter(|&elapse| elapse <= end)?;
        let open = hours.next_open(elapse, zone)?;
        if open == elapse {
            return Some(zone.show(elapse));
        }
        // An elapse at the very opening counts.
        from = open - Duration::MICROSECOND;
    }
    None
}

impl FromStr for Schedule {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        // In any case, as systemd's own words are, which would mean midnight.
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "hourly" => Self::Every(Period::Hour),
            "daily" => Self::Every(Period::Day),
            "weekly" => Self::Every(Period::Week),
            "monthly" => Self::Every(Period::Month),
            "yearly" => Self::Every(Period::Year),
            _ => Self::Calendar(text.parse()?),
        })
    }
}
