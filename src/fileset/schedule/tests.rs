use super::*;
use crate::fileset::calendar::systemd;
use crate::fileset::calendar::weekdays::WEEK;
use crate::fileset::hours::tests::allowed;
use crate::fileset::zone::Local;
use crate::fileset::zone::tests::zone;
use std::collections::{BTreeMap, BTreeSet};
use time::PrimitiveDateTime;

const PERIODS: [Period; 5] = [Period::Hour, Period::Day, Period::Week, Period::Month, Period::Year];

fn name(text: &str) -> Name {
    text.parse().expect(text)
}

fn hours(texts: &[&str]) -> BlacklistHours {
    texts.iter().fold(BlacklistHours::default(), |all, text| all.union(&text.parse().expect(text)))
}

fn lines(schedule: &str, of: &str, texts: &[&str], zone: &Zone) -> Vec<String> {
    let schedule: Schedule = schedule.parse().expect("a schedule");
    let calendars = schedule.start_times(&name(of), &hours(texts), ShiftedHours::of(zone));
    calendars.iter().map(|calendar| calendar.on_calendar(zone)).collect()
}

#[test]
fn each_name_keeps_its_start_for_ever() {
    let amsterdam = zone("Europe/Amsterdam");
    // These lines may never change: everybody's backups would move.
    for (schedule, texts, expected) in [
        ("hourly", &["9-17"][..], &["*-*-* 00..08,17..23:44:00 Europe/Amsterdam"][..]),
        ("hourly", &[], &["*-*-* *:44:00 Europe/Amsterdam"]),
        (
            "hourly",
            &["Mon..Fri 9-17", "Sat 12-14", "Sun 0-24"],
            &[
                "Mon..Fri *-*-* 00..08,17..23:44:00 Europe/Amsterdam",
                "Sat *-*-* 00..11,14..23:44:00 Europe/Amsterdam",
            ],
        ),
        ("daily", &["9-17"], &["*-*-* 06:44:00 Europe/Amsterdam"]),
        ("weekly", &["9-17"], &["Mon *-*-* 06:44:00 Europe/Amsterdam"]),
        ("monthly", &["9-17"], &["*-*-22 06:44:00 Europe/Amsterdam"]),
        ("yearly", &["9-17"], &["*-01-22 06:44:00 Europe/Amsterdam"]),
        (
            "daily",
            &["Mon..Fri 8-24", "Sat,Sun 0-12"],
            &["Mon..Fri *-*-* 06:44:00 Europe/Amsterdam", "Sat,Sun *-*-* 20:44:00 Europe/Amsterdam"],
        ),
        ("monthly", &["Mon..Fri 8-24", "Sat,Sun 0-12"], &["Thu *-*-08..14 00:44:00 Europe/Amsterdam"]),
        ("Mon 03:00", &["9-17"], &["Mon 03:00 Europe/Amsterdam"]),
    ] {
        assert_eq!(lines(schedule, "acme-web1", texts, &amsterdam), expected, "{schedule} {texts:?}");
    }
}

/// Blacklist hours of every kind, each with a zone.
struct Situation {
    hours: BlacklistHours,
    zone: Zone,
    shifted: ShiftedHours,
}

fn situations() -> Vec<Situation> {
    let cases: [(&[&str], &str); 10] = [
        (&[], "Europe/Amsterdam"),
        (&["9-17"], "Europe/Amsterdam"),
        (&["22-6"], "America/New_York"),
        (&["Mon..Fri 8-18", "Sat 12-14"], "Australia/Lord_Howe"),
        (&["Mon..Fri 8-24", "Sat,Sun 0-12"], "Pacific/Chatham"),
        (&["Mon..Fri 0-24"], "Africa/Cairo"),
        (&["0-2,3-24"], "Europe/Amsterdam"),
        (&["Mon..Sat 0-24", "Sun 0-2,3-24"], "Europe/Amsterdam"),
        (&["Mon 0-2,3-24", "Tue..Sun 0-12"], "Europe/Amsterdam"),
        (&["0-23"], "America/Havana"),
    ];
    let situation = |(texts, name): (&[&str], &str)| {
        let zone = zone(name);
        Situation { hours: hours(texts), shifted: ShiftedHours::of(&zone), zone }
    };
    cases.into_iter().map(situation).collect()
}

fn starts(schedule: &Schedule, of: &Name, at: &Situation, count: usize) -> Vec<OffsetDateTime> {
    let next = |after: OffsetDateTime| schedule.next_start(after, of, &at.hours, &at.zone, at.shifted);
    std::iter::successors(next(EPOCH), |&last| next(last)).take(count).collect()
}

#[test]
fn no_start_is_in_a_blacklisted_hour_nor_in_one_that_daylight_saving_shifts() {
    for Situation { hours, zone, shifted } in situations() {
        let safe_left = allowed(&hours).any(|(_, hour)| shifted.mask() & (1 << hour) == 0);
        for period in PERIODS {
            for nth in 0..100 {
                for calendar in
                    Schedule::Every(period).start_times(&name(&format!("web{nth}")), &hours, shifted)
                {
                    for day in WEEK.into_iter().filter(|&day| calendar.weekdays().contains(day)) {
                        for hour in (0..24).filter(|&hour| calendar.in_hour(hour)) {
                            assert!(!hours.contains(day, hour), "{calendar}: {hours}");
                            let other_left = match period {
                                Period::Hour => false,
                                Period::Day => hours.allowed_on(day) & !shifted.mask() != 0,
                                _ => safe_left,
                            };
                            let touched = shifted.mask() & (1 << hour) != 0;
                            assert!(!(touched && other_left), "{calendar} in {zone}: {hours}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn starts_come_once_a_period() {
    let open: Vec<_> = situations().into_iter().filter(|at| allowed(&at.hours).count() > 24).collect();
    for situation in &open {
        for (period, count) in [(Period::Week, 60), (Period::Month, 36), (Period::Year, 5)] {
            let schedule = Schedule::Every(period);
            for of in ["acme-web1", "db", "x.y_z-0"].map(name) {
                let starts = starts(&schedule, &of, situation, count);
                assert_eq!(starts.len(), count);
                let key = |at: &OffsetDateTime| match period {
                    Period::Week => (at.to_iso_week_date().0, at.iso_week()),
                    Period::Month => (at.year(), u8::from(at.month())),
                    _ => (at.year(), 0),
                };
                assert_eq!(
                    starts.iter().map(key).collect::<BTreeSet<_>>().len(),
                    count,
                    "{of} {period:?} {}",
                    situation.hours
                );
            }
        }
    }
    // Every day, through both changes of the clocks.
    let days = starts(&Schedule::Every(Period::Day), &name("acme-web1"), &situations()[1], 365);
    let expected = (1..=365).map(|day| time::Date::from_ordinal_date(2026, day).expect("a day"));
    assert_eq!(days.iter().map(|at| at.date()).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// Names as people give them, and in families that differ in little.
fn names() -> Vec<Name> {
    (0..10_000)
        .map(|nth| match nth % 5 {
            0 => format!("web{nth}"),
            1 => format!("acme-web{nth:05}"),
            2 => format!("{nth}.db.example"),
            3 => format!("customer-{}-host-{}", nth / 100, nth % 100),
            _ => format!("{:x}", nth * 7919),
        })
        .map(|text| name(&text))
        .collect()
}

/// Pearson's statistic over its degrees of freedom: near 1 for an even spread, and past 1.6 with 60
/// slots or more in less than one of a hundred even ones.
fn unevenness(counts: &BTreeMap<Vec<u32>, u32>, slots: u32) -> f64 {
    let total: u32 = counts.values().sum();
    let expected = f64::from(total) / f64::from(slots);
    let used: f64 = counts.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let unused = f64::from(slots - u32::try_from(counts.len()).expect("few")) * expected;
    (used + unused) / f64::from(slots - 1)
}

#[test]
fn ten_thousand_names_spread_evenly_over_the_allowed_time() {
    let (amsterdam, office) = (zone("Europe/Amsterdam"), hours(&["Mon..Fri 9-17"]));
    let shifted = ShiftedHours::of(&amsterdam);
    // Of 24 hours, 8 are blacklisted on some day, and one is shifted.
    let (common, weekly) = (15, 7 * 23 - 5 * 8);
    for (period, slots) in [
        (Period::Hour, 60),
        (Period::Day, common * 60),
        (Period::Week, weekly * 10),
        (Period::Month, 28 * common),
        (Period::Year, 12 * 28),
    ] {
        let mut counts = BTreeMap::new();
        for of in names() {
            let start = Schedule::Every(period)
                .next_start(EPOCH, &of, &office, &amsterdam, shifted)
                .expect("a start");
            let (hour, minute, day) = (start.hour().into(), start.minute().into(), start.day().into());
            let slot: Vec<u32> = match period {
                Period::Hour => vec![minute],
                Period::Day => vec![hour, minute],
                // In tenths of an hour, for enough names in each.
                Period::Week => vec![start.weekday().number_days_from_monday().into(), hour, minute / 6],
                Period::Month => vec![day, hour],
                Period::Year => vec![u8::from(start.month()).into(), day],
            };
            *counts.entry(slot).or_insert(0) += 1;
        }
        assert_eq!(counts.values().sum::<u32>(), 10_000);
        let unevenness = unevenness(&counts, slots);
        println!("{period:?}: {} of {slots} slots used, unevenness {unevenness:.2}", counts.len());
        assert!(unevenness < 1.6, "{period:?}: {unevenness}");
    }
}

#[test]
fn systemd_accepts_the_lines_and_elapses_when_we_say() {
    if !systemd::installed() {
        return;
    }
    let mut asked = 0;
    for Situation { hours, zone, shifted } in situations() {
        for period in PERIODS {
            let of = name(&format!("web{asked}"));
            for calendar in Schedule::Every(period).start_times(&of, &hours, shifted) {
                let base = datetime!(2026-03-28 12:00 UTC);
                let next = |at: OffsetDateTime| calendar.next_after(at, &zone);
                let ours: Vec<_> = std::iter::successors(next(base), |&last| next(last)).take(4).collect();
                let line = calendar.on_calendar(&zone);
                let theirs = systemd::read(&line, "UTC", base, 4).expect(&line);
                assert_eq!(theirs.normalized, line);
                assert_eq!(theirs.elapses, ours, "{line}");
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "{asked}");
}

#[test]
fn a_schedule_must_fire_outside_its_blacklist_hours() {
    let amsterdam = zone("Europe/Amsterdam");
    let never = |schedule: &str, texts: &[&str]| {
        let schedule: Schedule = schedule.parse().expect(schedule);
        schedule.check(&hours(texts), &amsterdam).err().map(|invalid| invalid.message)
    };
    let blacklisted =
        |hours: &str| Some(format!("this schedule never fires outside the blacklist hours ({hours})"));
    assert_eq!(never("12:00", &["9-17"]), blacklisted("9-17"));
    assert_eq!(never("Mon *-*-* 9..16:0/5", &["Mon..Fri 9-17"]), blacklisted("Mon..Fri 9-17"));
    assert_eq!(never("12:00 UTC", &["9-17"]), blacklisted("9-17"));
    // Always a Sunday, and never past noon.
    assert_eq!(never("2026-03-29 10:00", &["Sun 9-17"]), blacklisted("Sun 9-17"));
    assert_eq!(
        never("*-2-31", &[]),
        Some("this schedule never fires: its dates are past or do not exist".into())
    );
    assert_eq!(
        never("2020-1-1", &[]),
        Some("this schedule never fires: its dates are past or do not exist".into())
    );
    // Never but in the hour that is skipped.
    assert_eq!(
        never("2026-03-29 02:30", &[]),
        Some("this schedule never fires: its dates are past or do not exist".into())
    );
    assert!(never("daily", &["0-12", "12-24"]).is_some());
    for (schedule, texts) in [
        ("17:00", &["9-17"][..]),
        ("9..17:00", &["9-17"]),
        ("*-*-13 12:00", &["Mon..Thu,Sat,Sun 9-17"]),
        // In winter this is 08:30.
        ("07:30 UTC", &["9-17"]),
        ("*:*:*", &["Mon..Sat 0-24", "Sun 1-24"]),
        ("*-02-29 12:00", &["Mon..Fri,Sun 0-24"]),
        ("daily", &["0-23"]),
    ] {
        assert_eq!(never(schedule, texts), None, "{schedule}");
    }
}

#[test]
fn the_next_start_is_the_first_elapse_that_is_allowed() {
    let (amsterdam, office) = (zone("Europe/Amsterdam"), hours(&["Mon..Fri 9-17"]));
    let next = |schedule: &str, after| {
        let schedule: Schedule = schedule.parse().expect(schedule);
        schedule.next_start(after, &name("web1"), &office, &amsterdam, ShiftedHours::of(&amsterdam))
    };
    // Friday at noon.
    let friday = datetime!(2026-07-10 12:00 +2);
    assert_eq!(next("0/3:00", friday), Some(datetime!(2026-07-10 18:00 +2)));
    assert_eq!(next("12:00", friday), Some(datetime!(2026-07-11 12:00 +2)));
    // The very moment at which the window opens.
    assert_eq!(next("*:*", friday), Some(datetime!(2026-07-10 17:00 +2)));
    assert_eq!(next("2020-1-1", friday), None);
    let hourly = next("hourly", friday).expect("a start");
    assert_eq!((hourly.date(), hourly.hour()), (friday.date(), 17));
}

#[test]
fn the_period_is_nominal_or_the_usual_gap() {
    for (schedule, secs) in [
        ("hourly", 3600),
        ("daily", 86_400),
        ("weekly", 604_800),
        ("monthly", 2_592_000),
        ("yearly", 31_536_000),
        ("0/6:00", 21_600),
        ("Mon..Fri 03:00", 86_400),
        ("*-*-* 1,2,3:00", 3600),
        ("2030-1-1", 86_400),
        ("*:*:0/0.5", 1),
    ] {
        assert_eq!(schedule.parse::<Schedule>().expect(schedule).period().secs(), secs, "{schedule}");
    }
}

#[test]
fn the_five_words_are_ours_in_any_case() {
    for (text, period) in ["hourly", " Daily", "WEEKLY", "monthly", "yearly"].iter().zip(PERIODS) {
        assert_eq!(text.parse(), Ok(Schedule::Every(period)));
    }
    assert!(matches!("annually".parse(), Ok(Schedule::Calendar(_))));
    assert_eq!("25:00".parse::<Schedule>().expect_err("bad").at, Some(0..2));
}

#[test]
fn shifted_hours_are_those_where_a_time_is_not_once() {
    for name in ["Europe/Amsterdam", "Australia/Lord_Howe", "Africa/Cairo"] {
        let (zone, mut mask) = (zone(name), 0);
        let mut at = datetime!(2026-01-01 00:00);
        while at < datetime!(2028-01-01 00:00) {
            if !matches!(zone.resolve(PrimitiveDateTime::new(at.date(), at.time())), Local::Once(_)) {
                mask |= 1 << at.hour();
            }
            at += Duration::minutes(15);
        }
        assert_eq!(ShiftedHours::of(&zone).mask(), mask, "{name}");
    }
}
