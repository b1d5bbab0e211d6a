//! What is true of every plan.

use super::simulation::Ledger;
use super::*;
use crate::fileset::snapshot::{Automatic, Snapshot};
use crate::fileset::zone::Zone;
use crate::fileset::zone::tests::zone;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

static ZONES: LazyLock<[Zone; 5]> = LazyLock::new(|| {
    ["UTC", "Europe/Amsterdam", "Asia/Kolkata", "Pacific/Apia", "America/St_Johns"].map(zone)
});

fn kept(plan: &Plan) -> BTreeSet<Snapshot> {
    plan.keep.iter().map(|(snapshot, _)| snapshot.clone()).collect()
}

fn destroyed(plan: &Plan) -> BTreeSet<Snapshot> {
    plan.destroy.iter().copied().map(Snapshot::Automatic).collect()
}

prop_compose! {
    /// No rules in one case of 32.
    fn any_retention()(counts in prop::array::uniform5(prop_oneof![Just(0_u32), 1_u32..6])) -> Retention {
        Retention { counts }
    }
}

/// Close together around a daylight saving change, a new year or a skipped day, or anywhere; so that all buckets fill.
fn any_time() -> impl Strategy<Value = OffsetDateTime> {
    let around = prop::sample::select(vec![
        datetime!(2026-10-25 01:00 UTC),
        datetime!(2024-12-30 00:00 UTC),
        datetime!(2011-12-30 10:00 UTC),
        datetime!(2009-11-01 02:31 UTC),
    ]);
    let minutes =
        prop_oneof![-90_i64..90, -3_000_i64..3_000, -100_000_i64..100_000, -2_000_000_i64..2_000_000];
    (around, minutes).prop_map(|(around, minutes)| around + Duration::minutes(minutes))
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    prop_oneof![
        12 => any_time().prop_map(|time| Snapshot::Automatic(Automatic::at(time))),
        1 => (any_time(), "[a-z]{1,3}").prop_map(|(time, label)| {
            Snapshot::from(Automatic::at(time).to_string().replace("planb", &label).as_str())
        }),
        1 => "[a-z@-]{0,5}".prop_map(|name| Snapshot::from(name.as_str())),
    ]
}

/// Some of them more than once.
fn any_snapshots() -> impl Strategy<Value = Vec<Snapshot>> {
    (prop::collection::vec(any_snapshot(), 0..80), 0_usize..5).prop_map(|(mut all, twice)| {
        all.extend_from_within(..twice.min(all.len()));
        all
    })
}

fn any_zone() -> impl Strategy<Value = &'static Zone> {
    (0..ZONES.len()).prop_map(|index| &ZONES[index])
}

proptest! {
    #[test]
    fn everything_is_either_kept_for_a_reason_or_destroyed(
        retention in any_retention(), snapshots in any_snapshots(), zone in any_zone(),
    ) {
        let plan = retention.plan(&snapshots, zone);
        let (kept, destroyed) = (kept(&plan), destroyed(&plan));
        prop_assert!(kept.is_disjoint(&destroyed));
        prop_assert_eq!(&kept | &destroyed, snapshots.into_iter().collect());
        prop_assert_eq!((plan.keep.len(), plan.destroy.len()), (kept.len(), destroyed.len()), "a name is in a list twice");
        prop_assert!(plan.keep.iter().all(|(_, reasons)| !reasons.is_empty()));
        prop_assert!(plan.keep.is_sorted_by_key(|(snapshot, _)| snapshot) && plan.destroy.is_sorted());
    }

    #[test]
    fn the_newest_labelled_and_foreign_stay(
        retention in any_retention(), snapshots in any_snapshots(), zone in any_zone(),
    ) {
        let plan = retention.plan(&snapshots, zone);
        let newest = snapshots.iter().filter(|one| matches!(one, Snapshot::Automatic(_))).max();
        if let Some(newest) = newest {
            prop_assert!(plan.reasons(newest).contains(&Reason::Newest));
        }
        for snapshot in &snapshots {
            match snapshot {
                Snapshot::Automatic(_) => {}
                Snapshot::Kept(_) => prop_assert_eq!(plan.reasons(snapshot), [Reason::Labelled]),
                Snapshot::Foreign(_) => prop_assert_eq!(plan.reasons(snapshot), [Reason::Foreign]),
            }
        }
    }

    #[test]
    fn labelled_and_foreign_do_not_change_what_becomes_of_the_others(
        retention in any_retention(), snapshots in any_snapshots(), zone in any_zone(),
    ) {
        let mut alone = snapshots.clone();
        alone.retain(|snapshot| matches!(snapshot, Snapshot::Automatic(_)));
        prop_assert_eq!(retention.plan(&snapshots, zone).destroy, retention.plan(&alone, zone).destroy);
    }

    #[test]
    fn what_a_plan_keeps_the_next_plan_keeps_for_the_same_reasons(
        retention in any_retention(), snapshots in any_snapshots(), zone in any_zone(),
    ) {
        let plan = retention.plan(&snapshots, zone);
        let left: Vec<_> = kept(&plan).into_iter().collect();
        prop_assert_eq!(retention.plan(&left, zone), Plan { destroy: Vec::new(), ..plan });
    }

    #[test]
    fn the_order_of_the_names_does_not_matter(
        retention in any_retention(),
        (one, two) in any_snapshots().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        zone in any_zone(),
    ) {
        prop_assert_eq!(retention.plan(&one, zone), retention.plan(&two, zone));
    }

    /// A first rule does destroy, as none means all.
    #[test]
    fn more_rules_and_higher_ones_never_destroy_more(
        fewer in any_retention().prop_filter("at least one rule", |retention| retention.finest().is_some()),
        more in prop::array::uniform5(0_u32..4),
        snapshots in any_snapshots(),
        zone in any_zone(),
    ) {
        let mut greater = fewer;
        for (count, more) in greater.counts.iter_mut().zip(more) {
            *count += more;
        }
        let (fewer, greater) = (fewer.plan(&snapshots, zone), greater.plan(&snapshots, zone));
        prop_assert!(destroyed(&greater).is_subset(&destroyed(&fewer)));
    }

    #[test]
    fn without_rules_nothing_is_destroyed(snapshots in any_snapshots(), zone in any_zone()) {
        prop_assert_eq!(Retention::default().plan(&snapshots, zone).destroy, []);
    }

    #[test]
    fn every_retention_is_read_back_as_it_was_written(retention in any_retention()) {
        prop_assert_eq!(retention.to_string().parse(), Ok(retention));
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_within_it(text in prop_oneof![".*", "[0-9hdwmyx, é]{0,12}"]) {
        if let Err(invalid) = text.parse::<Retention>() {
            prop_assert!(invalid.at.is_none_or(|at| !at.is_empty() && text.get(at).is_some()));
        }
    }
}

#[test]
fn a_hundred_thousand_names_are_planned_right() {
    let (retention, zone) = (Retention { counts: [24, 16, 4, 12, 2] }, zone("Europe/Amsterdam"));
    let mut ledger = Ledger::new(retention);
    let mut snapshots = Vec::new();
    for hour in 0..100_000 {
        let made = Automatic::at(datetime!(2015-01-01 00:17 UTC) + Duration::hours(hour));
        ledger.add(made, &zone);
        snapshots.push(Snapshot::from(made.to_string().as_str()));
    }
    let plan = retention.plan(&snapshots, &zone);
    assert_eq!(kept(&plan), ledger.promised().into_iter().map(Snapshot::Automatic).collect());
    assert_eq!(plan.keep.len() + plan.destroy.len(), 100_000);
}
