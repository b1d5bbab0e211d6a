//! A list of numbers as it was written, and what it means as years, months, days, hours, minutes or seconds.

use super::MICROS;
use super::field::{Field, Part};
use crate::fileset::invalid::Invalid;
use std::ops::Range;

/// systemd's own limit to the elements of one list.
pub const LONGEST: usize = 240;

/// A number that a field can hold: from `first` to `last`, `scale` of them in what a person calls one.
pub struct Unit {
    what: &'static str,
    first: u32,
    last: u32,
    scale: u32,
}

pub const YEAR: Unit = Unit { what: "a year", first: 1970, last: super::LAST_YEAR, scale: 1 };
pub const MONTH: Unit = Unit { what: "a month", first: 1, last: 12, scale: 1 };
pub const DAY: Unit = Unit { what: "a day of the month", first: 1, last: 31, scale: 1 };
/// Only as far back as every month reaches.
pub const DAY_FROM_END: Unit =
    Unit { what: "a day counted from the month's end", first: 1, last: 28, scale: 1 };
pub const HOUR: Unit = Unit { what: "an hour", first: 0, last: 23, scale: 1 };
pub const MINUTE: Unit = Unit { what: "a minute", first: 0, last: 59, scale: 1 };
pub const SECOND: Unit = Unit { what: "a second", first: 0, last: 60 * MICROS - 1, scale: MICROS };

/// An element of a list as it was written, and where.
pub struct Element {
    pub start: u64,
    pub end: Option<u64>,
    pub step: Option<u64>,
    pub at: Range<usize>,
}

/// A list as it was written: its numbers mean something only once the separator after it is seen.
pub enum List {
    Any,
    Of(Vec<Element>),
}

impl List {
    /// What it matches as a list of `unit`s.
    pub fn valid(self, unit: &Unit, from_end: bool) -> Result<Field, Invalid> {
        match self {
            Self::Any => Ok(Field::ANY),
            Self::Of(elements) => elements
                .into_iter()
                .map(|element| element.valid(unit, from_end))
                .collect::<Result<_, _>>()
                .map(Field::new),
        }
    }
}

impl Element {
    fn valid(self, unit: &Unit, from_end: bool) -> Result<Part, Invalid> {
        let refuse = |message: String| Err(Invalid::at(self.at.clone(), message));
        let year = |number: u64| match number {
            0..70 if unit.first == YEAR.first => number + 2000,
            70..100 if unit.first == YEAR.first => number + 1900,
            _ => number,
        };
        let within = |number: u64| {
            u32::try_from(number).ok().filter(|number| (unit.first..=unit.last).contains(number))
        };
        let (Some(start), end) = (within(year(self.start)), self.end.map(|end| within(year(end)))) else {
            return refuse(unit.range());
        };
        if end == Some(None) {
            return refuse(unit.range());
        }
        let step = match self.step.map(u32::try_from) {
            Some(Ok(0)) => return refuse("a repetition of 0 never gets anywhere".into()),
            Some(Ok(step)) => step,
            Some(Err(_)) => u32::MAX,
            None if end.is_some() => unit.scale,
            None => 0,
        };
        let Some(end) = end.flatten() else {
            let second = if from_end { start.checked_sub(step) } else { start.checked_add(step) };
            if second.is_none_or(|second| !(unit.first..=unit.last).contains(&second)) {
                return refuse("this repetition never comes to its second time".into());
            }
            return Ok(Part { start, stop: None, step });
        };
        if end < start {
            return refuse("this range ends before it begins".into());
        }
        if unit.scale > 1 && self.step.is_none() && end - start < unit.scale {
            return refuse(
                "this range is shorter than a second, which systemd refuses: write the second alone".into(),
            );
        }
        // The end is where the last step lands.
        let last = end - (end - start) % step;
        Ok(if last == start { Part::one(start) } else { Part { start, stop: Some(last), step } })
    }
}

impl Unit {
    fn range(&self) -> String {
        format!("{} is from {} to {}", self.what, self.first, self.last / self.scale)
    }
}
