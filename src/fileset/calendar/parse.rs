//! The syntax of calendar expressions: systemd.time(7), "Calendar Events", as systemd 252 to 257 read it.
//!
//! What systemd refuses is refused here, with the place and the reason it does not give. Two things it accepts are
//! refused as well: a range that ends outside its field (`20..25`), which can only be a slip, and a zone other than UTC,
//! which has a setting of its own.

use super::field::{Field, Part};
use super::list::{DAY, DAY_FROM_END, Element, HOUR, LONGEST, List, MINUTE, MONTH, SECOND, YEAR};
use super::weekdays::{self, Weekdays};
use super::{Calendar, MICROS};
use crate::fileset::invalid::Invalid;
use time::OffsetDateTime;

/// Reads `text`, which has no blanks around it.
pub fn parse(text: &str) -> Result<Calendar, Invalid> {
    let (rest, utc) = without_zone(text)?;
    let mut calendar = Calendar {
        text: text.to_owned(),
        weekdays: Weekdays::ALL,
        year: Field::ANY,
        month: Field::ANY,
        day: Field::ANY,
        from_end: false,
        hour: Field::one(0),
        minute: Field::one(0),
        micros: Field::one(0),
        utc,
    };
    if rest.is_empty() {
        return Err(Invalid::new(
            "a calendar expression cannot be empty: write one as in \"Mon..Fri 03:00\"",
        ));
    }
    if let Some(seconds) = rest.strip_prefix('@') {
        calendar.fix(seconds)?;
    } else if !calendar.shorthand(rest) {
        Reader { text: rest, at: 0 }.read(&mut calendar)?;
    }
    if calendar.end_repetitions() {
        calendar.text = calendar.to_string();
    }
    Ok(calendar)
}

/// Takes the zone off the end: true if there was one, which is UTC then.
fn without_zone(text: &str) -> Result<(&str, bool), Invalid> {
    let Some((rest, last)) = text.rsplit_once(' ') else { return Ok((text, false)) };
    if last.eq_ignore_ascii_case("UTC") {
        return Ok((rest, true));
    }
    if last.starts_with(|c: char| c.is_ascii_alphabetic()) && weekdays::named(last).is_none() {
        let zone = if last.contains('/') { last } else { "Europe/Amsterdam" };
        return Err(Invalid::at(
            text.len() - last.len()..text.len(),
            format!("only UTC can stand here: set timezone = {zone:?} instead"),
        ));
    }
    Ok((text, false))
}

impl Calendar {
    /// Gives repetitions an end where systemd needs one; whether there were any.
    ///
    /// [seen] Where a repetition without an end steps over the end of the minute, hour, day, month or year (`0/7:00`),
    /// systemd 252 and 257 lose other elapses behind it; and if summer time begins in that step, they give up with
    /// "Infinite loop in calendar calculation" and the timer is dead. With an end it is sound.
    fn end_repetitions(&mut self) -> bool {
        let from_end = self.from_end;
        // A step onto midnight, or January, is none over it; where a month ends differs.
        let step_over = |limit: u32| {
            move |part: Part| match (limit - part.start) % part.step {
                0 => part,
                _ => part.until(limit - 1),
            }
        };
        let days = |part: Part| if from_end { part.until_month_end() } else { part.until(31) };
        let ended = [
            self.micros.close(step_over(60 * MICROS)),
            self.minute.close(step_over(60)),
            self.hour.close(step_over(24)),
            self.day.close(days),
            self.month.close(step_over(13)),
        ];
        ended.contains(&true)
    }

    /// `@SECONDS`: that moment alone.
    fn fix(&mut self, seconds: &str) -> Result<(), Invalid> {
        let moment = (seconds.bytes().all(|b| b.is_ascii_digit()))
            .then(|| seconds.parse().ok())
            .flatten()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .filter(|moment| u32::try_from(moment.year()).is_ok_and(|year| year <= super::LAST_YEAR))
            .ok_or_else(|| {
                Invalid::new("after \"@\" comes a moment in whole seconds since 1970, before the year 2200")
            })?;
        self.year = Field::one(moment.year().unsigned_abs());
        self.month = Field::one(u8::from(moment.month()).into());
        self.day = Field::one(moment.day().into());
        self.hour = Field::one(moment.hour().into());
        self.minute = Field::one(moment.minute().into());
        self.micros = Field::one(u32::from(moment.second()) * MICROS);
        self.utc = true;
        Ok(())
    }

    /// Whether `text` is one of the words for a whole expression; sets what it says.
    fn shorthand(&mut self, text: &str) -> bool {
        let months = |months: &[u32]| Field::new(months.iter().map(|&month| Part::one(month)).collect());
        match text.to_ascii_lowercase().as_str() {
            "minutely" => (self.hour, self.minute) = (Field::ANY, Field::ANY),
            "hourly" => self.hour = Field::ANY,
            "daily" => {}
            "weekly" => self.weekdays = Weekdays::only(time::Weekday::Monday),
            "monthly" => self.day = Field::one(1),
            "quarterly" => (self.month, self.day) = (months(&[1, 4, 7, 10]), Field::one(1)),
            "semiannually" | "semi-annually" | "biannually" | "bi-annually" => {
                (self.month, self.day) = (months(&[1, 7]), Field::one(1));
            }
            // The misspelt one is systemd's own, kept there for old units.
            "yearly" | "annually" | "anually" => (self.month, self.day) = (Field::one(1), Field::one(1)),
            _ => return false,
        }
        true
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn skip_blanks(&mut self) {
        while self.skip(" ") {}
    }

    fn unexpected(&self, expected: &str) -> Invalid {
        match self.peek() {
            None => Invalid::at(0..self.text.len(), format!("it ends too early: {expected}")),
            Some('/') if self.text[..self.at].ends_with('*') => Invalid::at(
                self.at - 1..self.at + 1,
                "a repetition begins at a number: write \"0/2\", not \"*/2\"",
            ),
            Some(c) => {
                Invalid::at(self.at..self.at + c.len_utf8(), format!("{c:?} cannot stand here: {expected}"))
            }
        }
    }

    /// `[WEEKDAYS] [DATE] [TIME]`, none of them twice and at least one.
    fn read(mut self, calendar: &mut Calendar) -> Result<(), Invalid> {
        if self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            calendar.weekdays = self.weekdays()?;
        }
        self.date(calendar)?;
        if self.rest().is_empty() {
            return Ok(());
        }
        let hour = self.list(1)?;
        if !self.skip(":") {
            return Err(self.unexpected("after the hours come a colon and the minutes, as in \"03:00\""));
        }
        calendar.hour = hour.valid(&HOUR, false)?;
        calendar.minute = self.list(1)?.valid(&MINUTE, false)?;
        if self.skip(":") {
            calendar.micros = match self.list(MICROS)? {
                List::Any => Field::new(vec![Part { start: 0, stop: None, step: MICROS }]),
                list @ List::Of(_) => list.valid(&SECOND, false)?,
            };
        }
        if self.rest().is_empty() {
            return Ok(());
        }
        Err(self.unexpected("a time is hours:minutes or hours:minutes:seconds, and nothing comes after it"))
    }

    /// The first word: weekdays between commas. A comma after the last and `-` for `..` are old habits of systemd.
    fn weekdays(&mut self) -> Result<Weekdays, Invalid> {
        let (start, word) = (self.at, self.rest().split(' ').next().unwrap_or_default().to_owned());
        let mut days = Weekdays::default();
        let mut at = start;
        let listed = word.strip_suffix(',').unwrap_or(&word);
        if weekdays::named(&word[..word.find(['.', ',', '-']).unwrap_or(word.len())]).is_none() {
            return Err(Invalid::at(
                start..start + word.len(),
                format!(
                    "{word:?} is neither a weekday nor hourly, daily, weekly, monthly or yearly: \
                     a calendar expression is written as in \"Mon..Fri 03:00\" (systemd.time(7))"
                ),
            ));
        }
        for element in listed.split(',') {
            let (first, last) = match element.split_once("..").or_else(|| element.split_once('-')) {
                None => (element, None),
                Some((first, last)) => (first, Some(last)),
            };
            let first = weekdays::expect(first, at)?;
            let last =
                last.map(|last| weekdays::expect(last, at + element.len() - last.len())).transpose()?;
            let range = Weekdays::range(first, last.unwrap_or(first));
            if last.is_some_and(|last| last.number_days_from_monday() < first.number_days_from_monday()) {
                let days: Vec<_> = range.iter().map(|day| Weekdays::only(day).to_string()).collect();
                return Err(Invalid::at(
                    at..at + element.len(),
                    format!(
                        "in a calendar expression a range of weekdays ends with Sunday: write {:?}",
                        days.join(",")
                    ),
                ));
            }
            days = days.union(range);
            at += element.len() + 1;
        }
        self.at += word.len();
        self.skip_blanks();
        Ok(days)
    }

    /// `[YEAR-]MONTH-DAY`, or `~` before a day that is counted from the month's end. A time is left where it is.
    fn date(&mut self, calendar: &mut Calendar) -> Result<(), Invalid> {
        const EXPECTED: &str = "a date is written as in \"2030-12-31\" or \"*-*-01\", a time as in \"03:00\"";
        let start = self.at;
        if self.rest().is_empty() {
            return Ok(());
        }
        let mut lists = vec![self.list(1)?];
        if self.peek() == Some(':') {
            self.at = start;
            return Ok(());
        }
        let mut from_end = false;
        while lists.len() < 3 && !from_end {
            if lists.len() == 2 && matches!(self.peek(), None | Some(' ')) {
                break;
            }
            from_end = self.skip("~");
            if !from_end && !self.skip("-") {
                return Err(self.unexpected(EXPECTED));
            }
            lists.push(self.list(1)?);
        }
        if !matches!(self.peek(), None | Some(' ')) {
            return Err(self.unexpected(EXPECTED));
        }
        self.skip_blanks();
        let mut lists = lists.into_iter().rev();
        let mut next = |unit| lists.next().unwrap_or(List::Any).valid(unit, from_end);
        calendar.day = next(if from_end { &DAY_FROM_END } else { &DAY })?;
        calendar.from_end = from_end && calendar.day != Field::ANY;
        let mut next = |unit| lists.next().unwrap_or(List::Any).valid(unit, false);
        calendar.month = next(&MONTH)?;
        calendar.year = next(&YEAR)?;
        Ok(())
    }

    /// `*`, or numbers, ranges and repetitions between commas, of which `scale` make one.
    fn list(&mut self, scale: u32) -> Result<List, Invalid> {
        if self.skip("*") {
            return Ok(List::Any);
        }
        let mut elements = Vec::new();
        loop {
            let from = self.at;
            let start = self.number(scale)?;
            let end = if self.skip("..") { Some(self.number(scale)?) } else { None };
            let step = if self.skip("/") { Some(self.number(scale)?) } else { None };
            elements.push(Element { start, end, step, at: from..self.at });
            if !self.skip(",") {
                break;
            }
            if elements.len() == LONGEST {
                return Err(Invalid::at(from..self.at, format!("a list has at most {LONGEST} elements")));
            }
        }
        Ok(List::Of(elements))
    }

    fn number(&mut self, scale: u32) -> Result<u64, Invalid> {
        let digits = self.digits();
        let start = self.at - digits.len();
        if digits.is_empty() {
            return Err(self.unexpected("a number or \"*\" belongs here"));
        }
        let too_large = || Invalid::at(start..start + digits.len(), "this number is too large");
        let mut number = digits
            .parse::<u32>()
            .map(|number| u64::from(number) * u64::from(scale))
            .map_err(|_| too_large())?;
        let point = self.rest().starts_with('.') && !self.rest().starts_with("..");
        if scale > 1 && point {
            self.at += 1;
            let fraction = self.digits();
            if fraction.is_empty() {
                return Err(self.unexpected("digits belong after the point"));
            }
            // Microseconds are what systemd keeps; the digit after them rounds.
            let digit = |nth: usize| fraction.as_bytes().get(nth).map_or(0, |digit| u64::from(digit - b'0'));
            number += (0..6).fold(0, |micros, nth| micros * 10 + digit(nth)) + u64::from(digit(6) >= 5);
        }
        Ok(number)
    }

    fn digits(&mut self) -> String {
        let length = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.rest()[..length].to_owned();
        self.at += length;
        digits
    }
}
