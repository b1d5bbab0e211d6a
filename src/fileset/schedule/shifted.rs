//! The hours of the day that daylight saving touches.

use crate::fileset::zone::{Local, Zone};
use time::macros::datetime;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

/// The local hours that a zone's clocks skip or repeat on some day, a bit for each. systemd skips an elapse in the first
/// and may skip one in the second.
///
/// It costs a look at each of 3,650 days: find it once per zone, not per fileset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShiftedHours(u32);

/// Fixed years, so that start times do not move with the clock; enough of them for zones whose daylight saving follows
/// the moon (Morocco).
const YEARS: [OffsetDateTime; 2] = [datetime!(2025-01-01 00:00 UTC), datetime!(2035-01-01 00:00 UTC)];

impl ShiftedHours {
    pub fn of(zone: &Zone) -> Self {
        let mut hours = 0;
        let mut day = zone.show(YEARS[0]);
        while day < YEARS[1] {
            let next = zone.show(day + Duration::DAY);
            if next.offset() != day.offset() {
                hours |= shifted_between(day, next, zone);
            }
            day = next;
        }
        Self(hours)
    }

    pub fn mask(self) -> u32 {
        self.0
    }
}

fn shifted_between(day: OffsetDateTime, next: OffsetDateTime, zone: &Zone) -> u32 {
    let (mut hours, mut at) = (0, day);
    // Clocks are changed on a quarter and by whole quarters.
    while at <= next {
        let local = PrimitiveDateTime::new(at.date(), at.time());
        if !matches!(zone.resolve(local), Local::Once(_)) {
            hours |= 1 << local.hour();
        }
        at += Duration::minutes(15);
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fileset::zone::tests::zone;

    #[test]
    fn each_zone_has_its_own() {
        for (name, hours) in [
            ("Europe/Amsterdam", &[2][..]),
            ("America/New_York", &[1, 2]),
            ("Europe/London", &[1]),
            ("Australia/Lord_Howe", &[1, 2]),
            ("Pacific/Chatham", &[2, 3]),
            ("America/Havana", &[0]),
            ("Africa/Cairo", &[0, 23]),
            ("Africa/Casablanca", &[2]),
            ("Asia/Tokyo", &[]),
            ("America/Sao_Paulo", &[]),
        ] {
            let mask = hours.iter().fold(0, |all, hour| all | 1 << hour);
            assert_eq!(ShiftedHours::of(&zone(name)).mask(), mask, "{name}");
        }
        assert_eq!(ShiftedHours::of(&Zone::utc()).mask(), 0);
    }
}
