//! One field of a calendar expression, such as its hours: the numbers at which it matches.

use std::fmt;

/// The numbers a field matches; all of them where there are no parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    parts: Vec<Part>,
}

/// `start`, `start..stop/step` or, without an end, `start/step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub start: u32,
    /// The last number that matches, a whole number of steps after `start`.
    pub stop: Option<u32>,
    /// 0 where only `start` matches.
    pub step: u32,
}

impl Part {
    pub fn one(number: u32) -> Self {
        Self { start: number, stop: None, step: 0 }
    }

    /// The first number from `from` on.
    fn first_from(self, from: u32) -> Option<u32> {
        if from <= self.start {
            return Some(self.start);
        }
        if self.step == 0 {
            return None;
        }
        let number = self.start + (from - self.start).div_ceil(self.step) * self.step;
        self.stop.is_none_or(|stop| number <= stop).then_some(number)
    }

    /// This repetition as far as it goes up to `last`.
    pub fn until(self, last: u32) -> Self {
        Self { stop: Some(last - (last - self.start) % self.step), ..self }
    }

    /// This repetition of days counted from the month's end, as far as it goes: to the last day, or just before.
    pub fn until_month_end(self) -> Self {
        Self { start: 1 + (self.start - 1) % self.step, stop: Some(self.start), ..self }
    }

    /// The same days of a month of `length` days when this counts them from its end, the last day being 1.
    fn counted_back(self, length: u32) -> Self {
        let day = |nth: u32| length + 1 - nth;
        match self.stop {
            Some(stop) => Self { start: day(stop), stop: Some(day(self.start)), ..self },
            None => Self { start: day(self.start), ..self },
        }
    }
}

impl Field {
    /// Matches always.
    pub const ANY: Self = Self { parts: Vec::new() };

    pub fn new(mut parts: Vec<Part>) -> Self {
        parts.sort_unstable();
        parts.dedup();
        Self { parts }
    }

    pub fn one(number: u32) -> Self {
        Self::new(vec![Part::one(number)])
    }

    pub fn range(start: u32, stop: u32) -> Self {
        Self::new(vec![Part { start, stop: Some(stop), step: 1 }])
    }

    /// The hours of the day whose bits are set.
    pub fn hours(mask: u32) -> Self {
        let set = |hour: &u32| mask & (1 << hour) != 0;
        let mut parts = Vec::new();
        let mut hour = 0;
        while let Some(start) = (hour..24).find(set) {
            let end = (start..24).find(|hour| !set(hour)).unwrap_or(24);
            parts.push(match end - start {
                1 => Part::one(start),
                _ => Part { start, stop: Some(end - 1), step: 1 },
            });
            hour = end;
        }
        if parts == [Part { start: 0, stop: Some(23), step: 1 }] { Self::ANY } else { Self { parts } }
    }

    /// Replaces repetitions without an end by what `ended` makes of them; whether that changed any.
    pub fn close(&mut self, ended: impl Fn(Part) -> Part) -> bool {
        let before = self.parts.clone();
        for part in self.parts.iter_mut().filter(|part| part.step > 0 && part.stop.is_none()) {
            *part = ended(*part);
        }
        *self = Self::new(std::mem::take(&mut self.parts));
        self.parts != before
    }

    /// The first number from `from` to `last` that matches.
    pub fn first_from(&self, from: u32, last: u32) -> Option<u32> {
        let number = if self.parts.is_empty() {
            Some(from)
        } else {
            self.parts.iter().filter_map(|part| part.first_from(from)).min()
        };
        number.filter(|&number| number <= last)
    }

    pub fn matches(&self, number: u32) -> bool {
        self.first_from(number, number).is_some()
    }

    /// This field's days of a month of `length` days, counted from its end.
    pub fn counted_back(&self, length: u32) -> Self {
        Self { parts: self.parts.iter().map(|part| part.counted_back(length)).collect() }
    }

    /// As systemd writes it, its numbers `width` digits wide and in units of `unit` (a million microseconds a second).
    pub fn write(&self, f: &mut fmt::Formatter<'_>, width: usize, unit: u32) -> fmt::Result {
        let number = |f: &mut fmt::Formatter<'_>, number: u32, width: usize| {
            write!(f, "{:0width$}", number / unit)?;
            if number.is_multiple_of(unit) { Ok(()) } else { write!(f, ".{:06}", number % unit) }
        };
        let all = unit > 1 && self.parts == [Part { start: 0, stop: None, step: unit }];
        if self.parts.is_empty() || all {
            return f.write_str("*");
        }
        for (nth, part) in self.parts.iter().enumerate() {
            if nth > 0 {
                f.write_str(",")?;
            }
            number(f, part.start, width)?;
            if let Some(stop) = part.stop {
                f.write_str("..")?;
                number(f, stop, width)?;
            }
            if part.step > 0 && !(part.stop.is_some() && part.step == unit) {
                f.write_str("/")?;
                number(f, part.step, 1)?;
            }
        }
        Ok(())
    }
}
