use super::*;
use crate::fileset::zone::tests::zone;
use proptest::prelude::*;
use time::macros::datetime;

/// The hours of the week in which a backup may start, from Monday on.
pub(crate) fn allowed(hours: &BlacklistHours) -> impl Iterator<Item = (Weekday, u8)> {
    let week = WEEK.into_iter().flat_map(|day| (0..24).map(move |hour| (day, hour)));
    week.filter(|&(day, hour)| !hours.contains(day, hour))
}

fn hours(texts: &[&str]) -> BlacklistHours {
    texts.iter().fold(BlacklistHours::default(), |all, text| all.union(&text.parse().expect(text)))
}

#[test]
fn hours_cover_what_people_mean() {
    let office = hours(&["2,9-17"]);
    let of_monday: Vec<_> = (0..24).filter(|&hour| office.contains(Weekday::Monday, hour)).collect();
    assert_eq!(of_monday, [2, 9, 10, 11, 12, 13, 14, 15, 16]);
    let friday_night = hours(&["Fri 22-6"]);
    let night: Vec<_> = WEEK
        .iter()
        .flat_map(|&day| (0..24).map(move |hour| (day, hour)))
        .filter(|&(day, hour)| friday_night.contains(day, hour))
        .collect();
    let (friday, saturday) = (
        [22, 23].map(|hour| (Weekday::Friday, hour)),
        [0, 1, 2, 3, 4, 5].map(|hour| (Weekday::Saturday, hour)),
    );
    assert_eq!(night, [&friday[..], &saturday[..]].concat());
    assert_eq!(allowed(&friday_night).count(), 168 - 8);
    // Sunday's night is Monday's morning.
    assert!(hours(&["Sun 22-6"]).contains(Weekday::Monday, 5));
}

#[test]
fn equal_hours_read_the_same() {
    for (texts, canonical) in [
        (&["none"][..], "none"),
        (&[], "none"),
        (&["9-17"], "9-17"),
        (&[" 17-18 , 02,9-17 "], "2,9-18"),
        (&["22-6"], "22-6"),
        (&["0-6,22-24"], "22-6"),
        (&["22-0"], "22-24"),
        (&["23"], "23"),
        (&["23,0"], "23-1"),
        (&["1-23,0"], "0-23"),
        (&["Mon..Sun 9-17"], "9-17"),
        (&["monday..FRI 9-17", "Sat 12-14"], "Mon..Fri 9-17; Sat 12-14"),
        (&["Sat..Mon 9-17", "none"], "Mon,Sat,Sun 9-17"),
        (&["Fri 22-6"], "Fri 22-24; Sat 0-6"),
        (&["Mon,Wed..Thu 0-24"], "Mon,Wed,Thu 0-24"),
    ] {
        assert_eq!(hours(texts).to_string(), canonical, "{texts:?}");
    }
}

#[test]
fn slips_are_cited_where_they_are() {
    for (text, at, message) in [
        ("", None, "blacklist hours cannot be empty: write \"none\", or hours as in \"9-17\""),
        ("99-200", Some(0..2), "no day has an hour 99: hours go from 0 to 23"),
        ("2,9-25", Some(4..6), "no day has an hour 25: hours go from 0 to 23"),
        ("25", Some(0..2), "no day has an hour 25: hours go from 0 to 23"),
        ("24", Some(0..2), "24 can only end a range, as in \"22-24\": hours go from 0 to 23"),
        ("24-6", Some(0..4), "no day has an hour that begins at 24: hours go from 0 to 23"),
        ("2, 9-", Some(3..5), "\"9-\" does not say when the hours end: write them as in \"9-17\""),
        ("-9", Some(0..2), "\"-9\" does not say when the hours begin: write them as in \"9-17\""),
        ("Mon -9", Some(4..6), "\"-9\" does not say when the hours begin: write them as in \"9-17\""),
        (
            "17-17",
            Some(0..5),
            "\"17-17\" could mean all or nothing: \"17\" is that one hour, \"0-24\" the whole day",
        ),
        (
            "abc",
            Some(0..3),
            "\"abc\" is not an hour: blacklist hours are written as in \"2,9-17\", \"Mon..Fri 9-17\" or \"none\"",
        ),
        (
            "9-17h",
            Some(2..5),
            "\"17h\" is not an hour: blacklist hours are written as in \"9-17\", \"Mon..Fri 9-17\" or \"none\"",
        ),
        ("9..17", Some(0..5), "a range of hours is written with a dash: \"9-17\""),
        ("9:00-17:30", Some(0..10), "blacklist hours are whole hours: write \"9-17\", not \"9:00-17:00\""),
        ("2,,3", Some(2..2), "hours are missing here: write them as in \"2,9-17\""),
        ("Mon-Fri 9-17", Some(0..7), "a range of weekdays is written with two dots: \"Mon..Fri\""),
        (
            "Sat,Fry 9-17",
            Some(4..7),
            "\"Fry\" is not a weekday: they are Mon, Tue, Wed, Thu, Fri, Sat and Sun, as in \"Mon..Fri\" or \"Mon,Wed\"",
        ),
        ("0-24", None, "the blacklist hours leave no hour of the week in which a backup may start"),
    ] {
        let invalid = text.parse::<BlacklistHours>().expect_err(text);
        assert_eq!((invalid.at, invalid.message.as_str()), (at, message), "{text:?}");
    }
    assert!(hours(&["0-12", "12-24"]).check().is_err());
    for bad in [
        "None",
        "Mon",
        "Mon 9-17 Tue 9-17",
        "9-17;2",
        "9 - - 17",
        "１",
        "Mon..Fri",
        "none,2",
        "9-17-20",
        "\u{e9} 2",
        "x\u{a0}1",
    ] {
        assert!(bad.parse::<BlacklistHours>().is_err(), "{bad:?}");
    }
}

#[test]
fn the_window_opens_and_closes_on_the_clocks_of_the_zone() {
    let (office, amsterdam) = (hours(&["Mon..Fri 9-17"]), zone("Europe/Amsterdam"));
    let monday = datetime!(2026-07-06 13:37:11.5 +2);
    assert!(!office.is_allowed(monday, &amsterdam));
    assert_eq!(office.next_open(monday, &amsterdam), Some(datetime!(2026-07-06 17:00 +2)));
    assert_eq!(office.next_close(monday, &amsterdam), Some(monday));
    let evening = datetime!(2026-07-10 15:00 UTC);
    assert_eq!(office.next_open(evening, &amsterdam), Some(evening));
    assert_eq!(office.next_close(evening, &amsterdam), Some(datetime!(2026-07-13 09:00 +2)));
    assert_eq!(BlacklistHours::default().next_close(evening, &amsterdam), None);
}

#[test]
fn daylight_saving_moves_the_window() {
    let (night, amsterdam) = (hours(&["2"]), zone("Europe/Amsterdam"));
    // Skipped: 02:00 never comes, so the window does not close.
    let spring = datetime!(2026-03-29 01:30 +1);
    assert_eq!(night.next_close(spring, &amsterdam), Some(datetime!(2026-03-30 02:00 +2)));
    // Repeated: blacklisted both times.
    let autumn = datetime!(2026-10-25 02:30 +2);
    assert_eq!(night.next_open(autumn, &amsterdam), Some(datetime!(2026-10-25 03:00 +1)));
    // Half an hour, and off the hour.
    let lord_howe = zone("Australia/Lord_Howe");
    let closes = hours(&["2"]).next_close(datetime!(2026-10-04 01:45 +10:30), &lord_howe);
    assert_eq!(closes, Some(datetime!(2026-10-04 02:30 +11)));
    let chatham = zone("Pacific/Chatham");
    let opens = hours(&["2"]).next_open(datetime!(2026-09-27 02:40 +12:45), &chatham);
    assert_eq!(opens, Some(datetime!(2026-09-27 03:45 +13:45)));
}

proptest! {
    #[test]
    fn what_is_shown_reads_the_same_again(days in prop::array::uniform7(prop_oneof![0..=WHOLE_DAY, Just(0), Just(0x00_ffc0)])) {
        let hours = BlacklistHours { days };
        prop_assume!(hours.check().is_ok());
        let elements = hours.elements();
        let again = elements.iter().fold(BlacklistHours::default(), |all, text| all.union(&text.parse().expect(text)));
        prop_assert_eq!(again, hours);
    }

    #[test]
    fn between_now_and_the_opening_nothing_is_allowed(
        days in prop::array::uniform7(prop_oneof![0..=WHOLE_DAY, Just(WHOLE_DAY)]),
        at in 1_700_000_000_i64..2_000_000_000,
        name in prop::sample::select(vec!["Europe/Amsterdam", "Pacific/Chatham", "America/Havana"]),
    ) {
        let (hours, zone) = (BlacklistHours { days }, zone(name));
        prop_assume!(hours.check().is_ok());
        let at = OffsetDateTime::from_unix_timestamp(at).expect("in range");
        let open = hours.next_open(at, &zone).expect("an hour is left");
        prop_assert!(open >= at && hours.is_allowed(open, &zone));
        let mut before = open - Duration::SECOND;
        while before >= at {
            prop_assert!(!hours.is_allowed(before, &zone), "{} is allowed", before);
            before -= Duration::minutes(7);
        }
    }

    #[test]
    fn no_text_makes_it_stumble(text in "\\PC{0,20}|[MonTuFri0-9,. -]{0,20}") {
        if let Err(Invalid { at: Some(at), .. }) = text.parse::<BlacklistHours>() {
            prop_assert!(text.get(at).is_some());
        }
    }
}
