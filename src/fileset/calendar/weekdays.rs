//! Sets of weekdays, as systemd writes them: `Mon..Fri`, `Mon,Wed`.

use crate::fileset::invalid::Invalid;
use std::fmt;
use time::Weekday;

/// A set of weekdays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weekdays(u8);

/// Monday to Sunday, the order in which everything here counts.
pub const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

impl Weekdays {
    pub const ALL: Self = Self(0b111_1111);

    pub fn only(day: Weekday) -> Self {
        Self(1 << day.number_days_from_monday())
    }

    /// Both ends and all between them; past Sunday it goes on with Monday.
    pub fn range(first: Weekday, last: Weekday) -> Self {
        let (mut days, mut day) = (Self::only(first), first);
        while day != last {
            day = day.next();
            days.insert(day);
        }
        days
    }

    pub fn insert(&mut self, day: Weekday) {
        self.0 |= Self::only(day).0;
    }

    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn contains(self, day: Weekday) -> bool {
        self.0 & Self::only(day).0 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        WEEK.into_iter().filter(move |&day| self.contains(day))
    }
}

/// The weekday called `Mon` or `Monday`, in any case.
pub fn named(text: &str) -> Option<Weekday> {
    WEEK.into_iter().find(|day| {
        let long = day.to_string();
        text.eq_ignore_ascii_case(&long) || text.eq_ignore_ascii_case(&long[..3])
    })
}

/// The weekday called `text`, which stands `at` bytes into the value.
pub fn expect(text: &str, at: usize) -> Result<Weekday, Invalid> {
    named(text).ok_or_else(|| {
        let what = if text.is_empty() {
            "a weekday is missing here".to_owned()
        } else {
            format!("{text:?} is not a weekday")
        };
        Invalid::at(
            at..at + text.len(),
            format!(
                "{what}: they are Mon, Tue, Wed, Thu, Fri, Sat and Sun, as in \"Mon..Fri\" or \"Mon,Wed\""
            ),
        )
    })
}

impl fmt::Display for Weekdays {
    /// Three and more in a row as a range: `Mon..Fri`, `Sat,Sun`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut rest = &WEEK[..];
        while let Some(from) = rest.iter().position(|&day| self.contains(day)) {
            let long = rest[from..].iter().take_while(|&&day| self.contains(day)).count();
            let (first, last) = (rest[from], rest[from + long - 1]);
            parts.push(match long {
                1 => short(first),
                2 => format!("{},{}", short(first), short(last)),
                _ => format!("{}..{}", short(first), short(last)),
            });
            rest = &rest[from + long..];
        }
        f.pad(&parts.join(","))
    }
}

fn short(day: Weekday) -> String {
    let mut name = day.to_string();
    name.truncate(3);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_read_as_systemd_writes_them() {
        let set = |days: &[Weekday]| {
            days.iter().fold(Weekdays::default(), |all, &day| all.union(Weekdays::only(day)))
        };
        assert_eq!(Weekdays::ALL.to_string(), "Mon..Sun");
        assert_eq!(Weekdays::default().to_string(), "");
        assert_eq!(set(&[WEEK[0], WEEK[2], WEEK[3]]).to_string(), "Mon,Wed,Thu");
        assert_eq!(Weekdays::range(WEEK[5], WEEK[0]).to_string(), "Mon,Sat,Sun");
        assert_eq!(Weekdays::range(WEEK[1], WEEK[4]).to_string(), "Tue..Fri");
        assert_eq!(Weekdays::range(WEEK[1], WEEK[0]), Weekdays::ALL);
        assert_eq!(named("tHuRsday"), Some(Weekday::Thursday));
        assert_eq!(named("Thur"), None);
    }
}
