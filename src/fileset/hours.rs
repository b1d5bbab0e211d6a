//! Blacklist hours: when no backup starts by itself.

#[cfg(test)]
pub(crate) mod tests;

use super::calendar::weekdays::{self, WEEK, Weekdays};
use super::invalid::Invalid;
use super::zone::Zone;
use std::fmt;
use std::str::FromStr;
use time::{Duration, OffsetDateTime, Weekday};

/// The hours of the week in which no backup starts by itself, on the clocks of the fileset's zone.
///
/// Written `[WEEKDAYS ]HOURS[,HOURS...]`, or `none`:
///
/// - `2` is the hour from 02:00 to 03:00.
/// - `9-17` is 09:00 to 17:00, as office hours are meant: at 17:00 a backup may start.
/// - `22-6` is 22:00 to 06:00 of the next day. With weekdays, these are the days it begins on: `Fri 22-6` ends on
///   Saturday at 06:00.
/// - `0-24` is the whole day. `17-17` is an error, as it could mean all or nothing.
/// - Weekdays are `Mon`, `Mon,Wed`, `Mon..Fri`, `Sat..Mon`, also in full (`Monday`), in any case; without them the hours
///   are those of every day.
///
/// Several of them together (a list in the configuration) are the union. The whole week cannot be blacklisted.
///
/// An hour that daylight saving repeats is in it both times; one that it skips never comes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlacklistHours {
    /// A bit per hour of each day, Monday first.
    days: [u32; 7],
}

const WHOLE_DAY: u32 = 0xff_ffff;

/// Every zone's clocks are a whole number of quarters off UTC and are changed on a quarter: what the clocks' hour says
/// cannot change in between.
const QUARTER: i64 = 15 * 60;
/// More quarters than a week has, by two days for what zones may skip.
const QUARTERS: i64 = 9 * 24 * 4;

impl BlacklistHours {
    /// All of the given ones together. A union may leave no hour: see [`Self::check`].
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        for (day, more) in self.days.iter_mut().zip(other.days) {
            *day |= more;
        }
        self
    }

    /// Refuses a week without any hour left.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.days == [WHOLE_DAY; 7] {
            return Err(Invalid::new(
                "the blacklist hours leave no hour of the week in which a backup may start",
            ));
        }
        Ok(())
    }

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        self.days == [0; 7]
    }

    /// Whether the hour from `hour`:00 of that weekday is blacklisted.
    pub fn contains(&self, day: Weekday, hour: u8) -> bool {
        self.days[index(day)] & (1 << hour) != 0
    }

    /// The hours of that weekday in which a backup may start, a bit for each.
    pub fn allowed_on(&self, day: Weekday) -> u32 {
        !self.days[index(day)] & WHOLE_DAY
    }

    /// Whether a backup may start by itself at that moment.
    pub fn is_allowed(&self, at: OffsetDateTime, zone: &Zone) -> bool {
        let local = zone.show(at);
        !self.contains(local.weekday(), local.hour())
    }

    /// The first moment from `at` on at which a backup may start: `at` itself, or when the window opens. Nothing if it
    /// never does, which [`Self::check`] rules out.
    pub fn next_open(&self, at: OffsetDateTime, zone: &Zone) -> Option<OffsetDateTime> {
        Self::first_moment(at, |moment| self.is_allowed(moment, zone)).map(|moment| zone.show(moment))
    }

    /// The first moment from `at` on at which a backup may not start: `at` itself, or when the window closes. Nothing if
    /// it never does.
    pub fn next_close(&self, at: OffsetDateTime, zone: &Zone) -> Option<OffsetDateTime> {
        Self::first_moment(at, |moment| !self.is_allowed(moment, zone)).map(|moment| zone.show(moment))
    }

    fn first_moment(at: OffsetDateTime, wanted: impl Fn(OffsetDateTime) -> bool) -> Option<OffsetDateTime> {
        if wanted(at) {
            return Some(at);
        }
        let into = Duration::new(at.unix_timestamp().rem_euclid(QUARTER), at.nanosecond().cast_signed());
        (1..=QUARTERS)
            .map_while(|nth| at.checked_sub(into)?.checked_add(Duration::seconds(nth * QUARTER)))
            .find(|&moment| wanted(moment))
    }

    /// The fewest texts that mean the same together: what a list in the configuration would hold.
    pub fn elements(&self) -> Vec<String> {
        if self.days.iter().all(|&day| day == self.days[0]) {
            return if self.is_none() { Vec::new() } else { vec![ranges(self.days[0], true)] };
        }
        let mut elements: Vec<(u32, Weekdays)> = Vec::new();
        for day in WEEK {
            let hours = self.days[index(day)];
            match elements.iter_mut().find(|(same, _)| *same == hours) {
                Some((_, days)) => days.insert(day),
                None if hours == 0 => {}
                None => elements.push((hours, Weekdays::only(day))),
            }
        }
        elements.into_iter().map(|(hours, days)| format!("{days} {}", ranges(hours, false))).collect()
    }

    /// Adds the hours from `start` to `end` (past midnight where that is not later) of the days that begin with `day`.
    fn add(&mut self, day: Weekday, start: u8, end: u8) {
        let hours = |start: u8, end: u8| (start..end).fold(0, |all, hour| all | 1 << hour);
        if start < end {
            self.days[index(day)] |= hours(start, end);
        } else {
            self.days[index(day)] |= hours(start, 24);
            self.days[index(day.next())] |= hours(0, end);
        }
    }
}

fn index(day: Weekday) -> usize {
    day.number_days_from_monday().into()
}

/// The hours of a day as they are written; where every day has them (`wrap`), a range may go past midnight.
fn ranges(hours: u32, wrap: bool) -> String {
    let set = |hour: &u32| hours & (1 << (hour % 24)) != 0;
    // Begin after a gap, so that no range is cut in two at midnight.
    let first = if wrap && set(&23) { (0..24).find(|hour| !set(hour)).unwrap_or(0) } else { 0 };
    let (mut texts, mut hour) = (Vec::new(), first);
    while let Some(start) = (hour..first + 24).find(set) {
        hour = (start..first + 24).find(|hour| !set(hour)).unwrap_or(first + 24);
        let end = if hour > 24 { hour - 24 } else { hour };
        texts.push((start % 24, if hour - start == 1 { None } else { Some(end) }));
    }
    texts.sort_unstable();
    let texts: Vec<_> = texts
        .into_iter()
        .map(|(start, end)| end.map_or_else(|| start.to_string(), |end| format!("{start}-{end}")))
        .collect();
    texts.join(",")
}

impl FromStr for BlacklistHours {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut all = Self::default();
        if text.trim() == "none" {
            return Ok(all);
        }
        if text.trim().is_empty() {
            return Err(Invalid::new(
                "blacklist hours cannot be empty: write \"none\", or hours as in \"9-17\"",
            ));
        }
        let start = text.len() - text.trim_start().len();
        // Weekdays are all that comes before the blank before the first number.
        let number = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.trim_end().len());
        let split = text[start..number].rfind([' ', '\t']).map_or(start, |blank| start + blank + 1);
        let days =
            if split > start { parse_weekdays(text[start..split].trim_end(), start)? } else { Weekdays::ALL };
        let mut at = split;
        for element in text[split..].split(',') {
            let blank = element.len() - element.trim_start().len();
            let (first, end) = parse_hours(element.trim(), at + blank)?;
            days.iter().for_each(|day| all.add(day, first, end));
            at += element.len() + 1;
        }
        all.check()?;
        Ok(all)
    }
}

fn parse_weekdays(text: &str, at: usize) -> Result<Weekdays, Invalid> {
    let (mut days, mut from) = (Weekdays::default(), at);
    for element in text.split(',') {
        let (first, last) = element.split_once("..").unwrap_or((element, element));
        if let Some((first, last)) = element.split_once('-')
            && weekdays::named(first).is_some()
        {
            return Err(Invalid::at(
                from..from + element.len(),
                format!("a range of weekdays is written with two dots: \"{first}..{last}\""),
            ));
        }
        let first = weekdays::expect(first, from)?;
        let last = weekdays::expect(last, from + element.len() - last.len())?;
        days = days.union(Weekdays::range(first, last));
        from += element.len() + 1;
    }
    Ok(days)
}

/// `2`, `9-17` or `22-6`: the first hour and the one it ends before.
fn parse_hours(text: &str, at: usize) -> Result<(u8, u8), Invalid> {
    let whole = at..at + text.len();
    let refuse = |message: String| Err(Invalid::at(whole.clone(), message));
    if text.is_empty() {
        return refuse("hours are missing here: write them as in \"2,9-17\"".into());
    }
    if text.contains("..") {
        return refuse("a range of hours is written with a dash: \"9-17\"".into());
    }
    if text.contains(':') {
        return refuse("blacklist hours are whole hours: write \"9-17\", not \"9:00-17:00\"".into());
    }
    let Some((first, end)) = text.split_once('-') else {
        let hour = number(text, at, "\"2,9-17\"")?;
        if hour == 24 {
            return refuse("24 can only end a range, as in \"22-24\": hours go from 0 to 23".into());
        }
        return Ok((hour, hour + 1));
    };
    let (first, end) = (first.trim_end(), end.trim_start());
    if first.is_empty() || end.is_empty() {
        let missing = if first.is_empty() { "begin" } else { "end" };
        return refuse(format!("{text:?} does not say when the hours {missing}: write them as in \"9-17\""));
    }
    let (first, end) =
        (number(first, at, "\"9-17\"")?, number(end, at + text.len() - end.len(), "\"9-17\"")?);
    if first == 24 {
        return refuse("no day has an hour that begins at 24: hours go from 0 to 23".into());
    }
    if first == end {
        return refuse(format!(
            "{text:?} could mean all or nothing: \"{first}\" is that one hour, \"0-24\" the whole day"
        ));
    }
    Ok((first, end))
}

fn number(text: &str, at: usize, example: &str) -> Result<u8, Invalid> {
    let here = at..at + text.len();
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Invalid::at(
            here,
            format!(
                "{text:?} is not an hour: blacklist hours are written as in {example}, \"Mon..Fri 9-17\" or \"none\""
            ),
        ));
    }
    let hour = text.parse().ok().filter(|hour| *hour <= 24);
    hour.ok_or_else(|| Invalid::at(here, format!("no day has an hour {text}: hours go from 0 to 23")))
}

impl fmt::Display for BlacklistHours {
    /// One text; where several are needed, between semicolons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&if self.is_none() { "none".to_owned() } else { self.elements().join("; ") })
    }
}
