//! The syntax, and examples counted off the calendar by hand.

use super::*;
use crate::fileset::snapshot::Snapshot;
use crate::fileset::zone::Zone;
use crate::fileset::zone::tests::zone;

fn retention(text: &str) -> Retention {
    text.parse().expect("a good retention")
}

/// Whether every name gets the verdict beside it: its reasons, or `-` for one that goes.
fn check(retain: &str, zone: &Zone, expected: &[(&str, &str)]) {
    let text: Vec<_> = expected.iter().map(|(name, _)| format!("planb-{name}Z")).collect();
    let text = text.join("\n");
    let judged = retention(retain).what_if(&text, zone);
    let judged: Vec<_> = judged
        .iter()
        .map(|one| match &one.verdict {
            Verdict::Keep(reasons) => (&one.name[6..19], Reason::join(reasons)),
            Verdict::Destroy => (&one.name[6..19], "-".to_owned()),
            Verdict::Foreign => panic!("{} is a good name", one.name),
        })
        .collect();
    let expected: Vec<_> = expected.iter().map(|(name, verdict)| (*name, (*verdict).to_owned())).collect();
    assert_eq!(judged, expected, "{retain} in {zone}");
}

#[test]
fn rules_are_read_in_any_order_and_written_the_finest_first() {
    for (text, canonical, finest) in [
        ("16d,4w,12m,2y,24h", "24h,16d,4w,12m,2y", Some(Period::Hour)),
        (" 2y ,\t4w\n", "4w,2y", Some(Period::Week)),
        ("1d", "1d", Some(Period::Day)),
        ("007m", "7m", Some(Period::Month)),
        ("100000y", "100000y", Some(Period::Year)),
        ("all", "all", None),
    ] {
        let read = retention(text);
        assert_eq!((read.to_string().as_str(), read.finest()), (canonical, finest), "{text:?}");
        assert_eq!(retention(canonical), read);
    }
    assert_eq!(retention("all"), Retention::default());
    let rules: Vec<_> = retention("4w,16d").rules().collect();
    assert_eq!(rules, [Rule { period: Period::Day, count: 16 }, Rule { period: Period::Week, count: 4 }]);
}

#[test]
fn a_wrong_rule_is_pointed_at_and_put_right() {
    for (text, at, right) in [
        ("", None, "as in \"16d,4w,12m\""),
        (" \t", None, "as in \"16d,4w,12m\""),
        ("16d,,4w", Some(3..4), "beside this comma"),
        (",16d", Some(0..1), "beside this comma"),
        (" ,16d", Some(1..2), "beside this comma"),
        ("16d, ", Some(3..4), "beside this comma"),
        ("d", Some(0..1), "\"d\" has no number in front"),
        ("16d, -4w", Some(5..8), "\"-4w\" has no number in front"),
        ("4w, 16", Some(4..6), "as in \"16d\""),
        ("4w,16x ", Some(5..6), "\"x\" is not a unit of retention: use h (hours)"),
        ("16D", Some(2..3), "\"D\" is not a unit"),
        ("16 d", Some(2..4), "right after the number"),
        ("1d4w", Some(1..4), "\"d4w\" is not a unit"),
        ("1é", Some(1..3), "\"é\" is not a unit"),
        ("4w, 0d", Some(4..6), "at least \"1d\""),
        ("100001h", Some(0..7), "at most \"100000h\""),
        ("99999999999999999999h", Some(0..21), "at most \"100000h\""),
        ("16d,4w, 7d", Some(8..10), "after \"16d\""),
        ("none", Some(0..4), "leave `retain` out"),
        ("16d,all", Some(4..7), "stands alone"),
    ] {
        let invalid = text.parse::<Retention>().expect_err(text);
        assert_eq!(invalid.at, at, "{text:?}");
        assert!(invalid.message.contains(right), "{text:?}: {}", invalid.message);
    }
}

#[test]
fn the_oldest_of_each_day_stays_for_the_newest_day_and_n_before_it() {
    check(
        "2d",
        &Zone::utc(),
        &[
            ("20260104T1200", "-"),
            ("20260105T0001", "day 2/2"),
            ("20260105T2359", "-"),
            // Nothing on the 6th: an empty day does not count.
            ("20260107T1200", "day 1/2"),
            ("20260108T0000", "day 0/2"),
            ("20260108T0100", "-"),
            ("20260108T0200", "newest"),
        ],
    );
}

#[test]
fn one_made_behind_snapshots_of_the_future_may_go_at_once() {
    check(
        "1d",
        &Zone::utc(),
        &[("20260102T0000", "-"), ("20310101T0000", "day 1/1"), ("20310102T0000", "newest,day 0/1")],
    );
}

#[test]
fn a_snapshot_may_have_many_reasons() {
    check(
        "1h,1d,1w,1m,1y",
        &Zone::utc(),
        &[
            ("20251230T2300", "week 0/1,month 1/1,year 1/1"),
            ("20251231T0000", "day 1/1"),
            ("20260101T0000", "day 0/1,month 0/1,year 0/1"),
            ("20260101T0100", "hour 1/1"),
            ("20260101T0200", "newest,hour 0/1"),
        ],
    );
}

/// 30 December 2024 was a Monday: the first day of 2025-W01.
#[test]
fn the_last_days_of_2024_are_in_the_first_week_of_2025() {
    check(
        "1w",
        &Zone::utc(),
        &[
            ("20241222T1200", "-"),        // Sunday of 2024-W51
            ("20241223T1200", "week 1/1"), // Monday of 2024-W52
            ("20241229T1200", "-"),        // Sunday of 2024-W52
            ("20241230T1200", "week 0/1"), // Monday of 2025-W01
            ("20241231T1200", "-"),
            ("20250101T1200", "-"),
            ("20250105T1200", "newest"), // Sunday of 2025-W01
        ],
    );
}

/// 2026 has 53 weeks; 31 December 2026 is a Thursday.
#[test]
fn the_first_days_of_2027_are_in_the_last_week_of_2026() {
    check(
        "2w,1y",
        &Zone::utc(),
        &[
            ("20261221T1200", "week 2/2,year 1/1"), // Monday of 2026-W52
            ("20261227T1200", "-"),                 // Sunday of 2026-W52
            ("20261228T1200", "week 1/2"),          // Monday of 2026-W53
            ("20261231T1200", "-"),
            ("20270101T1200", "year 0/1"), // Friday of 2026-W53
            ("20270103T1200", "-"),        // Sunday of 2026-W53
            ("20270104T1200", "week 0/2"), // Monday of 2027-W01
            ("20270105T1200", "newest"),
        ],
    );
}

#[test]
fn a_month_ends_at_the_zones_midnight() {
    // Amsterdam is an hour ahead in winter and two in summer.
    check(
        "3m",
        &zone("Europe/Amsterdam"),
        &[
            ("20260131T2259", "month 3/3"),
            ("20260131T2300", "month 2/3"), // 1 February, 00:00
            ("20260228T2259", "-"),
            ("20260228T2300", "month 1/3"), // 1 March, 00:00
            ("20260331T2159", "-"),
            ("20260331T2200", "month 0/3"), // 1 April, 00:00
            ("20260331T2300", "newest"),
        ],
    );
    check(
        "2m",
        &Zone::utc(),
        &[
            ("20240229T2359", "month 2/2"),
            ("20240301T0000", "month 1/2"),
            ("20240331T2359", "-"),
            ("20240401T0000", "newest,month 0/2"),
        ],
    );
}

#[test]
fn the_hour_that_comes_twice_is_two_hours_and_one_day() {
    // On 25 October 2026 clocks in Amsterdam go back from 03:00 to 02:00, at 01:00 UTC.
    check(
        "3h,1d",
        &zone("Europe/Amsterdam"),
        &[
            ("20261024T2159", "day 1/1"),  // 23:59 on the 24th
            ("20261024T2200", "day 0/1"),  // 00:00
            ("20261024T2315", "-"),        // 01:15
            ("20261025T0015", "hour 3/3"), // 02:15, the first time
            ("20261025T0045", "-"),
            ("20261025T0115", "hour 2/3"), // 02:15, the second time
            ("20261025T0145", "-"),
            ("20261025T0200", "hour 1/3"),        // 03:00
            ("20261025T2259", "newest,hour 0/3"), // 23:59: the day had 25 hours
        ],
    );
}

#[test]
fn hours_begin_where_the_zones_clocks_begin_them() {
    // Kolkata is five and a half hours ahead.
    check(
        "1h",
        &zone("Asia/Kolkata"),
        &[
            ("20260101T0029", "-"),        // 05:59
            ("20260101T0030", "hour 1/1"), // 06:00
            ("20260101T0129", "-"),        // 06:59
            ("20260101T0130", "hour 0/1"), // 07:00
            ("20260101T0131", "newest"),
        ],
    );
}

#[test]
fn a_day_that_a_zone_left_out_is_an_empty_one() {
    // Samoa went from 29 to 31 December 2011 at 10:00 UTC.
    check(
        "1d",
        &zone("Pacific/Apia"),
        &[
            ("20111229T0959", "-"),       // 23:59 on the 28th
            ("20111229T1000", "day 1/1"), // 00:00 on the 29th
            ("20111230T0959", "-"),       // 23:59 on the 29th
            ("20111230T1000", "day 0/1"), // 00:00 on the 31st
            ("20111230T1100", "newest"),
        ],
    );
}

#[test]
fn a_day_that_began_twice_is_one_day() {
    // Newfoundland went from 00:01 on 1 November 2009 back to 23:01 on 31 October, at 02:31 UTC.
    check(
        "2d",
        &zone("America/St_Johns"),
        &[
            ("20091101T0229", "day 1/2"), // 23:59 on the 31st
            ("20091101T0230", "day 0/2"), // 00:00 on the 1st
            ("20091101T0231", "-"),       // 23:01 on the 31st
            ("20091101T0330", "-"),       // 00:00 on the 1st, again
            ("20091101T0400", "newest"),
        ],
    );
}

#[test]
fn without_rules_everything_stays() {
    check(
        "all",
        &Zone::utc(),
        &[("20200101T0000", "no rules"), ("20200101T0001", "no rules"), ("20260101T0000", "newest,no rules")],
    );
}

#[test]
fn nothing_makes_an_empty_plan() {
    assert_eq!(retention("1d").plan(&[], &Zone::utc()), Plan::default());
    assert_eq!(retention("1d").what_if("\n \r\n", &Zone::utc()), []);
}

#[test]
fn names_at_the_ends_of_time_are_planned_in_every_zone() {
    for zone in [Zone::utc(), zone("Asia/Kolkata"), zone("Pacific/Pago_Pago")] {
        let snapshots = ["planb-00000101T0000Z", "planb-99991231T2359Z"].map(Snapshot::from);
        assert_eq!(retention("24h,16d,4w,12m,2y").plan(&snapshots, &zone).keep.len(), 2, "{zone}");
    }
}

#[test]
fn what_if_answers_line_by_line_in_the_order_asked() {
    let text = "planb-20260102T0000Z\nzfs-auto-snap_daily\n\nplanb-20260101T0100Z\r\nplanb-20260101T0000Z\n\
                before-upgrade-20260101T0100Z\nplanb-20260101T0100Z\nplanb-20260231T0000Z";
    let lines: Vec<_> = retention("1d").what_if(text, &Zone::utc()).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "keep\tplanb-20260102T0000Z\tnewest,day 0/1",
            "foreign\tzfs-auto-snap_daily\t",
            "destroy\tplanb-20260101T0100Z\t",
            "keep\tplanb-20260101T0000Z\tday 1/1",
            "keep\tbefore-upgrade-20260101T0100Z\tlabelled",
            "destroy\tplanb-20260101T0100Z\t",
            "foreign\tplanb-20260231T0000Z\t",
        ]
    );
}
