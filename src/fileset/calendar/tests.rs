use super::*;
use crate::fileset::zone::tests::zone;
use time::macros::datetime;

/// Every construct, and every way to get one wrong that systemd and this room must agree on.
const EXPRESSIONS: &str = "
minutely|hourly|daily|weekly|monthly|yearly|annually|anually|quarterly|semiannually|semi-annually|biannually
bi-annually|Daily|daily UTC|03:00|3:00|3:00 utc|03:00:00|3:5:7|0003:1|Mon|mon 3:00|Monday,Wed 3:00|Mon, 3:00|Mon,
Mon..Fri 3:00|Mon-Fri 3:00|Mon..Wed,Sat..Sun 3:00|Mon..Mon 3:0|Mon..Sun 3:0|Thursday,Fri..Sun 1:1
*-*-*|*-*-* *:*:*|*:*|*:0|*:0/7|*:0/59|*:0..30/10|0/5:0|8..20/12:00|8..20/15:00|8..20/30:00|5..5:0|1..3/1:00
1,3..5,2:0|1..5/2,1..6/2:0|0..23/5:0|5:0:*|5:0:0/7.5|3:00:00.5|3:00:00.1234567|3:00:0..30/10|3:00:0.5/1
3:00:00..30.5|3:00:01..02.5|3:00:0/0.5|3:0:0/59.999999|3:0:0.0000004|*:*:0/1|*:59:59|02:30|2:15,45|1..3:30|*:0/20
2:*:0/30|2024-2-29|*-2-29|2-29|1-1|*-1-1 2:30|*-2-31|2024-02-30..31|*-*-31|*-*-2..10/3 1:1|*-*-1..9/4
*-*-1,1,1|Mon *-*-1..7 4:00|Fri *-*-13|Sun *-2-29|*-*~1|*-*~07/1|*~3|1~3|*-1,2~1|2024-*~3|*-*~28|*-*~1..7/2 3:00
*-*~1,5/2|*-*~3..9/30|*-*~2..6/3|*-*~5/2|Sun *-10~7/1 2:30|Mon *-05~07/1|*-*~* 4:00|2020..2030-1-1|2000/2-1-1
0-1-1|69-1-1|70-1-1|99-1-1|90..10-1-1|2000..30-1-1|2024..2024-1-1|2026/3-*-1 5:00|@0|@1395716396|@4000000000
@7258118399|@1 UTC|2026-03-29 02:30|2026-10-25 02:30|2026-10-25 *:0/15|*-10-25 2:30|*-3-29 *:30|*-4,10-* 0:30
2040-06-01..05 12:00|2024-1-1  3:00|*-*-* 00..08,17..23:23:00|Sat,Sun *-*-* 10:00:30
|3:0:4..4|3:0:4..4/1|3:0:4.5..5.4|3:0:4.5..5.5|3:0:4.5..4.9/0.1|Mon,,Tue 3:00|Mon.. 3:0|Mon..Wed..Fri 3:0|Mon.Fri|..Fri 3:00|Mo 3:00|Sat..Mon 3:00|Mon2 3:00|Mon:3|~03|*-*~7..3
*-*~29|*-*~0|*-*~1/1|*-*-1~3|*~1-3|5,3,*:0|*/2:0|10..3:00|3:00:59/5|1/23:0|0/24:0|5:0:*/7|3:00:00.|1:1,|1:1,,2
1:1..|1:/2|1:5/0|24:00|3:60|3:0:60|3:0:59.9999999|3:0:0/60|3:0:10/50|*-13-1|*-0-1|*-*-0|*-*-32|2200-1-1|+3:00
0x10:00|12|2024-1|2024|-1-1|1--1|3:00 4:00|3:00 2024-1-1|3:00:00:00|2024-1-1T3:00|dayly|daily 3:00|*-*-*/3|UTC
@|@x|@1395716396.5|@7258118400|*:0/60|99999999999:0|:|*|-|~|,|..|1..2..3:0|3:0 Mon|3:00-4:00|2-1 1-2";

fn bases() -> [OffsetDateTime; 5] {
    [
        datetime!(2024-01-01 00:00 UTC),
        // The day before, the hour before, and between the two halves of the change to and from summer time.
        datetime!(2026-03-28 12:00 UTC),
        datetime!(2026-10-25 00:20 UTC),
        datetime!(2026-10-25 01:20 UTC),
        datetime!(2027-12-31 23:59:59 UTC),
    ]
}

fn ours(calendar: &Calendar, zone: &Zone, base: OffsetDateTime, count: usize) -> Vec<OffsetDateTime> {
    std::iter::successors(calendar.next_after(base, zone), |&last| calendar.next_after(last, zone))
        .take(count)
        .collect()
}

/// As systemd shows it.
fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at.truncate_to_second().to_offset(UtcOffset::UTC)
}

fn comes_twice(at: OffsetDateTime, zone: &Zone) -> bool {
    let local = zone.show(at);
    matches!(zone.resolve(PrimitiveDateTime::new(local.date(), local.time())), Local::Twice(..))
}

/// Compares reading and reckoning with systemd's; false where both refuse.
fn compare(expression: &str, zone: &Zone, base: OffsetDateTime) -> bool {
    let read = expression.parse::<Calendar>();
    let theirs = systemd::read(read.as_ref().map_or(expression, Calendar::as_str), zone.name(), base, 10);
    let calendar = match (read, &theirs) {
        (Ok(calendar), Some(_)) => calendar,
        (Err(_), None) => return false,
        (read, _) => panic!("{expression:?}: ours {read:?}, systemd's {theirs:?}"),
    };
    let ours = systemd::Reading {
        normalized: calendar.to_string(),
        elapses: ours(&calendar, zone, base, 10).into_iter().map(whole_second).collect(),
    };
    // Which pass of a repeated hour systemd takes for a day counted from the month's end depends on how it came there.
    if expression.contains('~') {
        let shown = |reading: systemd::Reading| {
            reading
                .elapses
                .into_iter()
                .map(|at| zone.show(at).replace_offset(UtcOffset::UTC))
                .collect::<Vec<_>>()
        };
        assert_eq!(Some(shown(ours)), theirs.map(shown), "{expression:?} in {zone} after {base}");
    } else {
        assert_eq!(Some(ours), theirs, "{expression:?} in {zone} after {base}");
    }
    true
}

#[test]
fn every_construct_is_read_and_reckoned_as_systemd_does() {
    if !systemd::installed() {
        return;
    }
    let amsterdam = zone("Europe/Amsterdam");
    let expressions = EXPRESSIONS.trim().split(['|', '\n']).filter(|expression| !expression.is_empty());
    let mut accepted = 0;
    for (nth, expression) in expressions.enumerate() {
        accepted += usize::from(compare(expression, &amsterdam, bases()[nth % bases().len()]));
    }
    assert!(accepted > 100, "{accepted} were accepted");
}

#[test]
fn daylight_saving_is_reckoned_as_systemd_does() {
    if !systemd::installed() {
        return;
    }
    let expressions =
        ["*:0/20", "02:30", "*-*-* 0..3:15,45", "Sun *-*-* 1..3:30:00", "*-3,4,9..11-* 2:10", "00:30"];
    // Half an hour's shift, a shift at midnight, one at a quarter to, one in the south, and one that was given up.
    for (name, bases) in [
        ("Europe/Amsterdam", [datetime!(2026-03-28 20:00 UTC), datetime!(2026-10-24 20:00 UTC)]),
        ("America/New_York", [datetime!(2026-03-08 01:00 UTC), datetime!(2026-11-01 01:00 UTC)]),
        ("Australia/Lord_Howe", [datetime!(2026-04-04 08:00 UTC), datetime!(2026-10-03 08:00 UTC)]),
        ("Pacific/Chatham", [datetime!(2026-04-04 08:00 UTC), datetime!(2026-09-26 08:00 UTC)]),
        ("Africa/Cairo", [datetime!(2026-04-23 16:00 UTC), datetime!(2026-10-29 16:00 UTC)]),
        ("America/Sao_Paulo", [datetime!(2018-02-17 20:00 UTC), datetime!(2018-11-03 20:00 UTC)]),
    ] {
        for expression in expressions {
            for base in bases {
                assert!(compare(expression, &zone(name), base));
            }
        }
    }
}

/// Expressions of every shape, from a fixed seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn list(&mut self, first: u64, last: u64) -> String {
        if self.below(3) == 0 {
            return "*".into();
        }
        let mut element = || {
            let (a, b) = (first + self.below(last - first + 1), first + self.below(last - first + 1));
            let (low, high, step) = (a.min(b), a.max(b), 1 + self.below((last - first) / 2));
            match self.below(6) {
                0 => format!("{low}..{high}"),
                1 => format!("{low}..{high}/{step}"),
                2 if low + step <= last => format!("{low}/{step}"),
                _ => format!("{low:02}"),
            }
        };
        let elements = [element(), element(), element()];
        elements[..=usize::try_from(self.below(3)).expect("small")].join(",")
    }

    fn expression(&mut self) -> String {
        let mut parts = Vec::new();
        let days = ["Mon", "Tuesday", "wed", "Thu", "Fri", "SAT", "Sun"];
        let day = |nth: u64| days[usize::try_from(nth).expect("a day")];
        match self.below(5) {
            0 => parts.push(day(self.below(7)).to_owned()),
            1 => parts.push(format!(
                "{}..{},{}",
                day(self.below(3)),
                day(3 + self.below(4)),
                day(self.below(7))
            )),
            _ => {}
        }
        let month = self.list(1, 12);
        match self.below(4) {
            0 => parts.push(format!("{}-{month}-{}", self.list(2024, 2033), self.list(1, 31))),
            1 => parts.push(format!("*-{month}~{}", 1 + self.below(28))),
            2 => parts.push(format!("{month}-{}", self.list(1, 31))),
            _ => {}
        }
        let (hours, minutes) = (self.list(0, 23), self.list(0, 59));
        match self.below(3) {
            0 => parts.push(format!("{hours}:{minutes}:{}", self.list(0, 59))),
            _ => parts.push(format!("{hours}:{minutes}")),
        }
        parts.join(" ")
    }
}

#[test]
fn any_expression_is_read_and_reckoned_as_systemd_does() {
    if !systemd::installed() {
        return;
    }
    let (mut dice, amsterdam) = (Dice(1), zone("Europe/Amsterdam"));
    let accepted =
        (0..300).filter(|nth| compare(&dice.expression(), &amsterdam, bases()[nth % bases().len()])).count();
    assert!(accepted > 150, "{accepted} were accepted");
}

#[test]
fn what_is_written_in_full_reads_the_same_again() {
    let mut dice = Dice(7);
    for calendar in (0..2000).filter_map(|_| dice.expression().parse::<Calendar>().ok()) {
        let full: Calendar = calendar.to_string().parse().unwrap_or_else(|e| panic!("{calendar}: {e}"));
        assert_eq!(Calendar { text: calendar.text.clone(), ..full }, calendar);
    }
}

#[test]
fn elapses_match_their_expression_and_none_lies_between() {
    let (mut dice, amsterdam) = (Dice(3), zone("Europe/Amsterdam"));
    for calendar in (0..300).filter_map(|_| dice.expression().parse::<Calendar>().ok()) {
        for base in bases() {
            let Some(next) = calendar.next_after(base, &amsterdam) else { continue };
            assert!(next > base, "{calendar} after {base}");
            assert!(
                calendar.in_hour(next.hour()) && calendar.weekdays().contains(next.weekday()),
                "{calendar}"
            );
            // From anywhere before it, it is still the next: here from the middle of the way.
            let middle = base + (next - base) / 2;
            let again = calendar.next_after(middle, &amsterdam);
            assert!(
                again == Some(next) || comes_twice(middle, &amsterdam),
                "{calendar} after {middle}: {again:?}, not {next}"
            );
        }
    }
}

#[test]
fn slips_are_cited_where_they_are() {
    for (text, at, message) in [
        (
            "dayly",
            Some(0..5),
            "\"dayly\" is neither a weekday nor hourly, daily, weekly, monthly or yearly: a calendar expression is written as in \"Mon..Fri 03:00\" (systemd.time(7))",
        ),
        ("", None, "a calendar expression cannot be empty: write one as in \"Mon..Fri 03:00\""),
        (" 25:00", Some(1..3), "an hour is from 0 to 23"),
        (
            "03:00 Europe/Paris",
            Some(6..18),
            "only UTC can stand here: set timezone = \"Europe/Paris\" instead",
        ),
        ("03:00 CET", Some(6..9), "only UTC can stand here: set timezone = \"Europe/Amsterdam\" instead"),
        ("*/2:00", Some(0..2), "a repetition begins at a number: write \"0/2\", not \"*/2\""),
        ("20..25:00", Some(0..6), "an hour is from 0 to 23"),
        ("10..3:00", Some(0..5), "this range ends before it begins"),
        (
            "Sat..Mon 3:00",
            Some(0..8),
            "in a calendar expression a range of weekdays ends with Sunday: write \"Mon,Sat,Sun\"",
        ),
        (
            "Mon..Fry 3:00",
            Some(5..8),
            "\"Fry\" is not a weekday: they are Mon, Tue, Wed, Thu, Fri, Sat and Sun, as in \"Mon..Fri\" or \"Mon,Wed\"",
        ),
        (
            "12",
            Some(0..2),
            "it ends too early: a date is written as in \"2030-12-31\" or \"*-*-01\", a time as in \"03:00\"",
        ),
        (
            "3:00 4:00",
            Some(4..5),
            "' ' cannot stand here: a time is hours:minutes or hours:minutes:seconds, and nothing comes after it",
        ),
        ("1:5/0", Some(2..5), "a repetition of 0 never gets anywhere"),
    ] {
        let invalid = text.parse::<Calendar>().expect_err(text);
        assert_eq!((invalid.at, invalid.message.as_str()), (at, message), "{text:?}");
    }
}

#[test]
fn repetitions_that_step_over_the_end_of_their_unit_get_one() {
    for (text, safe) in [
        ("0/7:30", "*-*-* 00..21/7:30:00"),
        ("Mon *-*-* 1,7/11:0 UTC", "Mon *-*-* 01,07..18/11:00:00 UTC"),
        ("*-6/5-12", "*-06..11/5-12 00:00:00"),
        ("*-1/3-1 0/6:00", "*-1/3-1 0/6:00"),
        ("*-*-5/8", "*-*-05..29/8 00:00:00"),
        ("Mon *-5~8/3", "Mon *-05~02..08/3 00:00:00"),
        ("*:5,33/20", "*-*-* *:05,33..53/20:00"),
        ("*:*:0/7.5", "*:*:0/7.5"),
        ("*:*:0/0.7", "*-*-* *:*:00..59.500000/0.700000"),
        ("7..18/11:*:0/5", "7..18/11:*:0/5"),
    ] {
        assert_eq!(text.parse::<Calendar>().expect(text).as_str(), safe);
    }
}

#[test]
fn an_expression_in_utc_ignores_the_zone() {
    let calendar: Calendar = "03:00 UTC".parse().expect("good");
    let amsterdam = zone("Europe/Amsterdam");
    let next = calendar.next_after(datetime!(2026-07-01 00:00 UTC), &amsterdam);
    assert_eq!(next, Some(datetime!(2026-07-01 03:00 UTC)));
    assert_eq!(calendar.on_calendar(&amsterdam), "03:00 UTC");
    assert_eq!("03:00".parse::<Calendar>().expect("good").on_calendar(&amsterdam), "03:00 Europe/Amsterdam");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_stumble(text in "\\PC{0,20}|[MonTuFri0-9,.:/*~ @-]{0,24}") {
        match text.parse::<Calendar>() {
            Err(Invalid { at: Some(at), .. }) => proptest::prop_assert!(text.get(at).is_some()),
            Err(_) => {}
            Ok(calendar) => {
                let next = calendar.next_after(datetime!(2026-01-01 00:00 UTC), &Zone::utc());
                proptest::prop_assert!(next.is_none_or(|next| next > datetime!(2026-01-01 00:00 UTC)));
            }
        }
    }
}
