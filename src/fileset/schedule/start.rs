//! Which start each fileset gets: spread evenly, and the same every time.
//!
//! The choice is a hash of the name and nothing else, so a fileset keeps its start while others come and go and across
//! releases. Changing anything here moves everybody's backups.

use super::ShiftedHours;
use crate::fileset::calendar::weekdays::{WEEK, Weekdays};
use crate::fileset::calendar::{Calendar, Field};
use crate::fileset::hours::BlacklistHours;
use crate::fileset::name::Name;
use crate::fileset::retention::Period;

/// Numbers drawn from a name, one after the other.
#[derive(Clone, Copy)]
struct Draw(u64);

impl Draw {
    /// FNV-1a of 64 bits (draft-eastlake-fnv), its upper half folded onto the lower, where the remainders below look.
    /// Not std's hasher, which may change with the toolchain.
    fn of(name: &Name) -> Self {
        let hash = name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hash ^ (hash >> 32))
    }

    /// A number below `count`, which is not 0.
    fn below(&mut self, count: u32) -> u32 {
        let drawn = self.0 % u64::from(count);
        self.0 /= u64::from(count);
        u32::try_from(drawn).unwrap_or(0)
    }

    /// One of the hours set in `mask`, which is not 0.
    fn hour(&mut self, mask: u32) -> u32 {
        let nth = self.below(mask.count_ones());
        (0..24).filter(|hour| mask & (1 << hour) != 0).nth(nth as usize).unwrap_or(0)
    }

    /// One of the hours of a week, which has one.
    fn slot(&mut self, week: [u32; 7]) -> (Weekdays, u32) {
        let mut nth = self.below(week.iter().map(|hours| hours.count_ones()).sum());
        for (day, hours) in WEEK.into_iter().zip(week) {
            if nth < hours.count_ones() {
                let hour = (0..24).filter(|hour| hours & (1 << hour) != 0).nth(nth as usize).unwrap_or(0);
                return (Weekdays::only(day), hour);
            }
            nth -= hours.count_ones();
        }
        (Weekdays::ALL, 0)
    }
}

pub fn choose(period: Period, name: &Name, hours: &BlacklistHours, shifted: ShiftedHours) -> Vec<Calendar> {
    let allowed = WEEK.map(|day| hours.allowed_on(day));
    if allowed == [0; 7] {
        return Vec::new();
    }
    let safe = allowed.map(|hours| hours & !shifted.mask());
    let best = if safe == [0; 7] { allowed } else { safe };
    let on_all_days = safe.into_iter().fold(u32::MAX, |all, hours| all & hours);

    let mut draw = Draw::of(name);
    // First of all, so that it stays the same whatever the hours are.
    let minute = draw.below(60);
    match period {
        Period::Hour => by_weekday(allowed, minute),
        Period::Day if on_all_days != 0 => by_weekday([1 << draw.hour(on_all_days); 7], minute),
        Period::Day => {
            let of_day = |(safe, allowed): (u32, u32)| match if safe == 0 { allowed } else { safe } {
                0 => 0,
                // The same draw for each, so that days with the same hours start at the same one.
                hours => 1 << draw.clone().hour(hours),
            };
            let mut days = safe.into_iter().zip(allowed).map(of_day);
            by_weekday([(); 7].map(|()| days.next().unwrap_or(0)), minute)
        }
        Period::Week => {
            let (day, hour) = draw.slot(best);
            vec![Calendar::at(day, Field::ANY, Field::ANY, Field::one(hour), minute)]
        }
        Period::Month | Period::Year => {
            let (day, hour, days) = if on_all_days == 0 {
                let (day, hour) = draw.slot(best);
                let first = 1 + 7 * draw.below(4);
                (day, hour, Field::range(first, first + 6))
            } else {
                let hour = draw.hour(on_all_days);
                (Weekdays::ALL, hour, Field::one(1 + draw.below(28)))
            };
            let month = if period == Period::Year { Field::one(1 + draw.below(12)) } else { Field::ANY };
            vec![Calendar::at(day, month, days, Field::one(hour), minute)]
        }
    }
}

/// At that minute of the hours set for each day: an expression for the days that have the same hours.
fn by_weekday(week: [u32; 7], minute: u32) -> Vec<Calendar> {
    let mut lines: Vec<(u32, Weekdays)> = Vec::new();
    for (day, hours) in WEEK.into_iter().zip(week).filter(|&(_, hours)| hours != 0) {
        match lines.iter_mut().find(|(same, _)| *same == hours) {
            Some((_, days)) => days.insert(day),
            None => lines.push((hours, Weekdays::only(day))),
        }
    }
    lines
        .into_iter()
        .map(|(hours, days)| Calendar::at(days, Field::ANY, Field::ANY, Field::hours(hours), minute))
        .collect()
}
