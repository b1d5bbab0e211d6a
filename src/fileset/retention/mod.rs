//! Retention: how much history a fileset keeps, and which snapshots that are.
//!
//! Names go in, a plan comes out. Neither the clock nor a storage is asked: after a long pause, or with a clock that is
//! wrong, the same names still make the same plan.

mod plan;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod what_if;

pub use plan::{Plan, Reason};
pub use what_if::Verdict;

use super::invalid::Invalid;
use std::fmt;
use std::str::FromStr;

/// A calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    /// All of them, the finest first.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Its unit in a rule: the first letter of its name.
    fn unit(self) -> &'static str {
        &self.as_str()[..1]
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One rule, as `16d`: besides the newest day that has snapshots, the sixteen before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rule {
    pub period: Period,
    /// From 1 to 100,000.
    pub count: u32,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.period.unit())
    }
}

/// What to keep: `24h,16d,4w,12m,2y`, in any order, each period at most once; or `all`.
///
/// `all` is having no rules, and without rules nothing is ever destroyed. It has a word, so that one fileset can say it
/// against the `retain` of its group or of the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Retention {
    /// By period, the finest first; 0 is no rule.
    counts: [u32; Period::ALL.len()],
}

impl Retention {
    /// More than this of any period is a slip of the finger: a hundred thousand hours are eleven years.
    const MOST: u32 = 100_000;
    const EVERYTHING: &str = "all";

    /// The rules, the finest period first.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        Period::ALL
            .into_iter()
            .zip(self.counts)
            .map(|(period, count)| Rule { period, count })
            .filter(|rule| rule.count > 0)
    }

    /// The finest period with a rule: the default schedule.
    pub fn finest(&self) -> Option<Period> {
        self.rules().next().map(|rule| rule.period)
    }

    /// Reads one rule, which begins at byte `at` of the value, and adds it.
    fn add(&mut self, word: &str, at: usize) -> Result<(), Invalid> {
        let whole = at..at + word.len();
        let (number, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len()));
        if number.is_empty() {
            return Err(Invalid::at(whole, not_a_rule(word)));
        }
        if unit.is_empty() {
            return Err(Invalid::at(
                whole,
                format!("{word:?} has no unit: write h, d, w, m or y after it, as in \"{word}d\""),
            ));
        }
        let Some(period) = Period::ALL.into_iter().find(|period| period.unit() == unit) else {
            return Err(Invalid::at(
                at + number.len()..whole.end,
                format!(
                    "{unit:?} is not a unit of retention: use h (hours), d (days), w (weeks), m (months) or y \
                     (years), right after the number"
                ),
            ));
        };
        // All digits: a number that does not fit is one that is too large.
        let count = number.parse().unwrap_or(u32::MAX);
        if count == 0 {
            return Err(Invalid::at(
                whole,
                format!("{word:?} would keep no {period}s: leave it out, or write at least \"1{unit}\""),
            ));
        }
        if count > Self::MOST {
            return Err(Invalid::at(
                whole,
                format!("{word:?} is more than anybody keeps: at most \"{}{unit}\"", Self::MOST),
            ));
        }
        let known = &mut self.counts[period as usize];
        if *known > 0 {
            return Err(Invalid::at(
                whole,
                format!(
                    "{word:?} says again how many {period}s to keep, after \"{known}{unit}\": write one of them"
                ),
            ));
        }
        *known = count;
        Ok(())
    }
}

/// Why a word without a number is no rule. `none` can be meant either way, so it is not guessed.
fn not_a_rule(word: &str) -> String {
    match word {
        "none" => "\"none\" does not say what to keep: to keep everything, leave `retain` out, or write \"all\" against \
                   the `retain` of a group or of the defaults"
            .to_owned(),
        Retention::EVERYTHING => {
            "\"all\" keeps everything and stands alone: write it without other rules, or leave it out".to_owned()
        }
        _ => format!("{word:?} has no number in front: write a number and its unit, as in \"16d\""),
    }
}

impl FromStr for Retention {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut retention = Self::default();
        match text.trim() {
            Self::EVERYTHING => return Ok(retention),
            "" => {
                return Err(Invalid::new(
                    "a retention cannot be empty: write what to keep, as in \"16d,4w,12m\", or \"all\"",
                ));
            }
            _ => {}
        }
        let mut start = 0_usize;
        for part in text.split(',') {
            let word = part.trim();
            if word.is_empty() {
                // The comma before it is to blame, or the one after it where it is the first.
                let comma = start.checked_sub(1).unwrap_or(part.len());
                return Err(Invalid::at(
                    comma..comma + 1,
                    "there is no rule beside this comma: write them as in \"16d,4w,12m\"",
                ));
            }
            retention.add(word, start + part.len() - part.trim_start().len())?;
            start += part.len() + 1;
        }
        Ok(retention)
    }
}

impl fmt::Display for Retention {
    /// As it is written, the finest period first: `24h,16d,4w,12m,2y`, or `all`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules().map(|rule| rule.to_string()).collect();
        f.pad(if rules.is_empty() { Self::EVERYTHING.to_owned() } else { rules.join(",") }.as_str())
    }
}
