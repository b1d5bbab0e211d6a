//! The plan: what stays, why, and what goes.
//!
//! For each rule of n the snapshots fall into buckets, one for each of its periods in the zone's calendar. Of each of
//! the newest n + 1 buckets the oldest snapshot stays. Why so:
//!
//! - The oldest, because a bucket's first snapshot stays its first: it is kept from the moment it is made until its
//!   bucket is too old, and no later run takes its place. With the newest of each bucket, what yesterday's plan spared
//!   for the month today's plan could find superseded.
//! - One more than n, because the newest bucket is still being filled: n full ones stay behind it.
//! - Buckets that are empty do not count, so a pause costs no history.
//!
//! What a storage knows besides the names (holds, clones) is not looked at: it refuses for itself.

use super::{Period, Retention};
use crate::fileset::snapshot::{Automatic, Snapshot};
use crate::fileset::zone::Zone;
use std::fmt;
use time::OffsetDateTime;

/// What to do with each of the snapshots. Every name is in exactly one of the lists, once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What stays, each with at least one reason, in the order of [`Snapshot`]: oldest first, foreign ones last.
    pub keep: Vec<(Snapshot, Vec<Reason>)>,
    /// What goes, oldest first.
    pub destroy: Vec<Automatic>,
}

impl Plan {
    /// Why this snapshot stays; nothing for one that goes, or that was not asked about.
    pub fn reasons(&self, snapshot: &Snapshot) -> &[Reason] {
        match self.keep.binary_search_by(|(kept, _)| kept.cmp(snapshot)) {
            Ok(found) => &self.keep[found].1,
            Err(_) => &[],
        }
    }
}

/// Why a snapshot stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The newest automatic snapshot always stays. `newest`
    Newest,
    /// It is the first one of its period, and no more than `of` periods behind the newest. Written `day 3/16`: the
    /// third day back, of sixteen. `day 0/16` is of the newest day, which may not be over; `day 16/16` is the next to
    /// go. Only periods that have snapshots are counted.
    Rule { period: Period, nth: u32, of: u32 },
    /// There are no rules, so everything stays. `no rules`
    NoRules,
    /// A person keeps it. `labelled`
    Labelled,
    /// It is not ours. `foreign`
    Foreign,
}

impl Reason {
    /// Several as one text: `newest,day 0/16,week 0/4`. No reason has a comma or a tab of its own.
    pub fn join(reasons: &[Self]) -> String {
        reasons.iter().map(Self::to_string).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("newest"),
            Self::Rule { period, nth, of } => write!(f, "{period} {nth}/{of}"),
            Self::NoRules => f.write_str("no rules"),
            Self::Labelled => f.write_str("labelled"),
            Self::Foreign => f.write_str("foreign"),
        }
    }
}

impl Retention {
    /// What to do with these snapshots, given in any order, by the calendar of `zone`.
    ///
    /// Only automatic snapshots fill buckets. A labelled one is extra: whoever removes it later finds no hole where it
    /// stood in for an automatic one.
    ///
    /// Names are believed. After a clock ran ahead and was put right, snapshots of the future fill the newest buckets,
    /// and one that is made now can be in `destroy` at once: a run has to look for its own before it prunes.
    pub fn plan(&self, snapshots: &[Snapshot], zone: &Zone) -> Plan {
        let mut automatic = Vec::with_capacity(snapshots.len());
        let mut plan = Plan::default();
        for snapshot in snapshots {
            match snapshot {
                Snapshot::Automatic(one) => automatic.push(*one),
                Snapshot::Kept(_) => plan.keep.push((snapshot.clone(), vec![Reason::Labelled])),
                Snapshot::Foreign(_) => plan.keep.push((snapshot.clone(), vec![Reason::Foreign])),
            }
        }
        // A name that was given twice must not be judged twice: the second verdict could be another.
        automatic.sort_unstable();
        automatic.dedup();
        for (one, reasons) in automatic.iter().zip(self.reasons(&automatic, zone)) {
            if reasons.is_empty() {
                plan.destroy.push(*one);
            } else {
                plan.keep.push((Snapshot::Automatic(*one), reasons));
            }
        }
        plan.keep.sort_by(|(one, _), (two, _)| one.cmp(two));
        plan.keep.dedup_by(|(one, _), (two, _)| one == two);
        plan
    }

    /// Why each of these, which are oldest first and all different, stays. Without a reason it goes.
    fn reasons(&self, automatic: &[Automatic], zone: &Zone) -> Vec<Vec<Reason>> {
        let mut reasons = vec![Vec::new(); automatic.len()];
        if let Some(newest) = reasons.last_mut() {
            newest.push(Reason::Newest);
        }
        if self.finest().is_none() {
            for reasons in &mut reasons {
                reasons.push(Reason::NoRules);
            }
        }
        let shown: Vec<_> = automatic.iter().map(|one| zone.show(one.time())).collect();
        for rule in self.rules() {
            let mut firsts: Vec<_> = shown.iter().map(|at| bucket(rule.period, *at)).zip(0_usize..).collect();
            // They are in order already, but for zones that turned the clock back over midnight.
            firsts.sort_unstable();
            firsts.dedup_by_key(|(bucket, _)| *bucket);
            for (nth, (_, index)) in (0..=rule.count).zip(firsts.into_iter().rev()) {
                reasons[index].push(Reason::Rule { period: rule.period, nth, of: rule.count });
            }
        }
        reasons
    }
}

/// The number of the period that the zone's clocks and calendars show: the same for all of one, larger for a later one.
fn bucket(period: Period, shown: OffsetDateTime) -> i64 {
    match period {
        // Where daylight saving ends, an hour comes twice, and the backups of the second are as good as those of the
        // first. So an hour is told by when it began: the same hour on the wall at another offset is another one.
        Period::Hour => {
            let offset = i64::from(shown.offset().whole_seconds());
            (shown.unix_timestamp() + offset).div_euclid(3600) * 3600 - offset
        }
        Period::Day => shown.to_julian_day().into(),
        // Both from the ISO calendar: the last days of December may be in week 1 of the next year (ISO 8601).
        Period::Week => {
            let (year, week, _) = shown.to_iso_week_date();
            i64::from(year) * 100 + i64::from(week)
        }
        Period::Month => i64::from(shown.year()) * 100 + i64::from(u8::from(shown.month())),
        Period::Year => shown.year().into(),
    }
}
