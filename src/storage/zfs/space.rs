//! The room there is, by the pool's own figures.

use super::properties::Properties;
use super::{Error, Zfs, command};
use crate::fileset::name::DatasetName;
use crate::storage::Space;

impl Zfs {
    /// The room there is for a dataset, under the tightest of all limits that are set for it.
    pub fn room(&self, dataset: &DatasetName) -> Result<Space, Error> {
        command::ready(self.parent.pool())?;
        let child = self.parent.child(dataset);
        let names: Vec<&str> = self.parent.with_ancestors().chain([child.as_str()]).collect();
        let get = ["get", "-Hp", "-o", Properties::COLUMNS, "used,available,quota,refquota"];
        let arguments = [&get[..], &names].concat();
        let done = command::ask(&arguments)?;
        // Those that are not there yet have no limits. The pool is.
        let properties = Properties::parse(&command::text(&done.stdout));
        tightest(&properties, &names).ok_or_else(|| command::failed(&child, &arguments, &done))
    }
}

/// Of the pool and of each quota between it and the dataset the one that has the smallest share left.
fn tightest(properties: &Properties, names: &[&str]) -> Option<Space> {
    let mut limits = Vec::new();
    for (depth, name) in names.iter().enumerate() {
        let Some(of) = properties.of(name) else { break };
        let available = of.number("available")?;
        if depth == 0 {
            limits.push(Space { total: of.number("used")?.saturating_add(available), available });
        }
        let quotas = ["quota", "refquota"].into_iter().filter_map(|quota| of.number(quota));
        limits.extend(quotas.filter(|quota| *quota > 0).map(|total| Space { total, available }));
    }
    let share = |space: &Space| u128::from(space.available) * 1_000_000 / u128::from(space.total.max(1));
    limits.into_iter().min_by_key(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `zfs get -Hp -o name,property,value,source used,available,quota,refquota tank tank/BACKUP tank/BACKUP/web1`
    fn printed(quota: u64, refquota: u64) -> Properties {
        Properties::parse(&format!(
            "tank\tused\t19522560\t-\ntank\tavailable\t3872791552\t-\ntank\tquota\t0\tdefault\n\
             tank\trefquota\t0\tdefault\ntank/BACKUP\tused\t19103232\t-\ntank/BACKUP\tavailable\t85754368\t-\n\
             tank/BACKUP\tquota\t{quota}\tlocal\ntank/BACKUP\trefquota\t0\tdefault\n\
             tank/BACKUP/web1\tused\t18929152\t-\ntank/BACKUP/web1\tavailable\t2054656\t-\n\
             tank/BACKUP/web1\tquota\t0\tdefault\ntank/BACKUP/web1\trefquota\t{refquota}\tlocal\n"
        ))
    }

    #[test]
    fn the_tightest_limit_counts() {
        let names = ["tank", "tank/BACKUP", "tank/BACKUP/web1"];
        let pool = Space { total: 3_892_314_112, available: 3_872_791_552 };
        let quota = Space { total: 104_857_600, available: 85_754_368 };
        let refquota = Space { total: 20_971_520, available: 2_054_656 };
        assert_eq!(tightest(&printed(0, 0), &names), Some(pool));
        assert_eq!(tightest(&printed(104_857_600, 0), &names), Some(quota));
        assert_eq!(tightest(&printed(104_857_600, 20_971_520), &names), Some(refquota));
        let new = ["tank", "tank/NEW", "tank/NEW/web1"];
        assert_eq!(tightest(&printed(0, 0), &new), Some(pool));
        assert_eq!(tightest(&printed(0, 0), &["other"]), None);
    }
}
