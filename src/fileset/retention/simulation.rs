//! Years of runs, pruned after each, against what retention promises.
//!
//! The promise, exactly: whatever the clock did, what is left after each prune is the newest snapshot, and for each
//! rule of n the first snapshot ever made in each of the newest n + 1 periods that ever had one. Nothing that the rules
//! ask for was ever lost, nothing else is left. The ledger below knows this from what was made alone; it never sees
//! what was destroyed, nor how buckets are numbered.

use super::{Period, Retention, Rule};
use crate::fileset::snapshot::{Automatic, Snapshot};
use crate::fileset::zone::Zone;
use crate::fileset::zone::tests::zone;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use time::macros::datetime;
use time::{Date, Duration, OffsetDateTime};

/// The first snapshot ever made in each period, by the period's beginning.
pub(super) struct Ledger {
    rules: Vec<(Rule, BTreeMap<OffsetDateTime, Automatic>)>,
    newest: Option<Automatic>,
}

impl Ledger {
    pub(super) fn new(retention: Retention) -> Self {
        Self { rules: retention.rules().map(|rule| (rule, BTreeMap::new())).collect(), newest: None }
    }

    pub(super) fn add(&mut self, made: Automatic, zone: &Zone) {
        self.newest = self.newest.max(Some(made));
        let shown = zone.show(made.time());
        for (rule, firsts) in &mut self.rules {
            let first = firsts.entry(beginning(rule.period, shown)).or_insert(made);
            *first = made.min(*first);
        }
    }

    pub(super) fn promised(&self) -> BTreeSet<Automatic> {
        let by_rules =
            self.rules.iter().flat_map(|(rule, firsts)| firsts.values().rev().take(rule.count as usize + 1));
        by_rules.chain(&self.newest).copied().collect()
    }
}

/// When the period began that the zone's clocks show: an instant for hours, a midnight for all others.
fn beginning(period: Period, shown: OffsetDateTime) -> OffsetDateTime {
    let date = shown.date();
    let date = match period {
        Period::Hour => return shown.replace_minute(0).expect("minute 0"),
        Period::Day => date,
        Period::Week => date - Duration::days(date.weekday().number_days_from_monday().into()),
        Period::Month => date.replace_day(1).expect("day 1"),
        Period::Year => Date::from_ordinal_date(date.year(), 1).expect("day 1"),
    };
    date.midnight().assume_utc()
}

/// Makes a snapshot at each of the times, prunes after each, and checks the promise after each.
fn simulate(retain: &str, zone: &Zone, times: impl IntoIterator<Item = OffsetDateTime>) {
    let retention: Retention = retain.parse().expect("a good retention");
    let mut ledger = Ledger::new(retention);
    let mut present = BTreeSet::new();
    for (run, made) in times.into_iter().map(Automatic::at).enumerate() {
        if !present.insert(made) {
            continue; // the name is taken: this run makes none
        }
        ledger.add(made, zone);
        let names: Vec<_> = present.iter().copied().map(Snapshot::Automatic).collect();
        for gone in retention.plan(&names, zone).destroy {
            assert!(present.remove(&gone), "{gone} was destroyed twice");
        }
        assert_eq!(present, ledger.promised(), "after {made}, {retain} in {zone}");
        // It follows from the above, but is what people are told. Counted from time to time, as it is slow.
        if run % 50 == 0 {
            for (rule, firsts) in &ledger.rules {
                let left: BTreeSet<_> =
                    present.iter().map(|one| beginning(rule.period, zone.show(one.time()))).collect();
                assert!(left.len() >= firsts.len().min(rule.count as usize), "{made}: too few of {rule}");
            }
        }
    }
}

/// What a clock showed, hour by hour over three years: pauses of weeks and months, and days on which it was wrong.
fn three_years(from: OffsetDateTime) -> impl Iterator<Item = OffsetDateTime> {
    (0..3 * 365 * 24).filter_map(move |hour| {
        let days_wrong = match hour {
            2_000..2_500 | 5_000..8_000 | 20_000..20_800 => return None,
            9_000..9_200 => 10,
            12_000..12_400 => -40,
            15_000..15_010 => 5 * 365,
            17_000..17_001 => -20 * 365,
            _ => 0,
        };
        Some(from + Duration::hours(hour) + Duration::days(days_wrong))
    })
}

const RETAIN: &str = "24h,16d,4w,12m,2y";

#[test]
fn three_years_in_amsterdam_keep_what_was_promised() {
    simulate(RETAIN, &zone("Europe/Amsterdam"), three_years(datetime!(2024-02-11 00:07 UTC)));
}

#[test]
fn three_years_in_kolkata_keep_what_was_promised() {
    simulate(RETAIN, &zone("Asia/Kolkata"), three_years(datetime!(2024-02-11 00:31 UTC)));
}

/// Samoa left out 30 December 2011.
#[test]
fn three_years_in_apia_keep_what_was_promised() {
    simulate(RETAIN, &zone("Pacific/Apia"), three_years(datetime!(2011-01-01 00:59 UTC)));
}

/// Newfoundland turned its clocks back at 00:01, so that a new day began twice.
#[test]
fn three_years_in_newfoundland_keep_what_was_promised() {
    simulate(RETAIN, &zone("America/St_Johns"), three_years(datetime!(2008-06-01 00:30 UTC)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Steps of any size in both directions, most of them forward.
    #[test]
    fn no_clock_breaks_the_promise(
        retain in prop::sample::select(vec!["1h", "3d", "2h,2d", "1d,1w", "2h,1d,2w,1m,1y", "1y", "2m,3h"]),
        steps in prop::collection::vec(
            prop_oneof![8 => 1_i64..180, 4 => 600_i64..20_000, 2 => -4_000_i64..0, 1 => -600_000_i64..600_000],
            1..120,
        ),
    ) {
        let zone = zone("Europe/Amsterdam");
        let mut clock = datetime!(2026-10-01 00:00 UTC);
        simulate(retain, &zone, steps.into_iter().map(|minutes| {
            clock += Duration::minutes(minutes);
            clock
        }));
    }
}
