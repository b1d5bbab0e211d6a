//! The room there is, by the pool's own figures.

use super::command::{check_pool, is_confined, is_read_only, look, zfs};
use super::error::{Error, READ_ONLY_POOL};
use super::{StorageError, Zfs};
use crate::fileset::name::DatasetName;
use crate::storage::Space;

impl Zfs {
    /// The room there is for a dataset, under the tightest of all limits that are set for it.
    pub fn space(&self, dataset: &DatasetName) -> Result<Space, StorageError> {
        check_pool(self.parent.as_str())?;
        let child = self.parent.child(dataset);
        let found = room(self.parent.with_ancestors().chain([child.as_str()]).collect(), zfs)?;
        let pool = self.parent.pool();
        // Such a pool says that it has no room, which is not what is wrong with it.
        if found.is_some_and(|space| space.available == 0) && is_read_only(pool)? {
            let (filesystem, remedy) = (pool.to_owned(), READ_ONLY_POOL.to_owned());
            return Err(Error::ReadOnly { filesystem, remedy }.into());
        }
        Ok(found.ok_or_else(|| Error::NoPool { pool: pool.to_owned() })?)
    }

    /// The same for all datasets together.
    pub fn room(&self) -> Result<Space, Error> {
        let pool = || self.parent.pool().to_owned();
        match room(self.parent.with_ancestors().collect(), look)? {
            Some(space) => Ok(space),
            None if is_confined() => Err(Error::Hidden { filesystem: pool() }),
            None => Err(Error::NoPool { pool: pool() }),
        }
    }
}

/// The room below the last of these, each of which is in the one before it.
fn room(
    mut names: Vec<&str>,
    zfs: impl Fn(&[&str]) -> Result<String, Error>,
) -> Result<Option<Space>, Error> {
    while !names.is_empty() {
        // In the order of their names, which is that from above to below.
        match zfs(&[&["list", "-Hp", "-o", "used,available,quota,refquota"], &*names].concat()) {
            Ok(text) => return Ok(tightest(&text.lines().map(level).collect::<Result<Vec<_>, _>>()?)),
            // It will be made, and has no limit of its own then.
            Err(error) if error.is_missing() => drop(names.pop()),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// What is said of a file system between the pool and the dataset.
struct Level {
    used: u64,
    available: u64,
    /// Those that are set.
    quotas: Vec<u64>,
}

/// The output of `zfs list -Hp -o used,available,quota,refquota NAME`: `19103232  85754368  104857600  0`.
fn level(text: &str) -> Result<Level, Error> {
    let mut fields = text.trim().split('\t').map(str::parse::<u64>);
    match (fields.next(), fields.next()) {
        // A volume has no quotas and a '-' for each. What is wrong with it is told when it is to be opened.
        (Some(Ok(used)), Some(Ok(available))) => {
            Ok(Level { used, available, quotas: fields.flatten().filter(|&quota| quota > 0).collect() })
        }
        _ => Err(Error::NotUnderstood { said: text.trim().to_owned() }),
    }
}

/// Of the pool, which is the first, and of each quota below it the one that has the smallest share left. zfs counts a quota
/// in what is available below it.
fn tightest(levels: &[Level]) -> Option<Space> {
    let pool = levels.first()?;
    let pool = Space { total: pool.used.saturating_add(pool.available), available: pool.available };
    let below = levels.iter().flat_map(|level| {
        level.quotas.iter().map(|&total| Space { total, available: level.available.min(total) })
    });
    let share = |space: &Space| u128::from(space.available) * 1_000_000 / u128::from(space.total.max(1));
    below.chain([pool]).min_by_key(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(quota: u64, refquota: u64) -> [Level; 3] {
        [
            "19522560\t3872791552\t0\t0\n".to_owned(),
            format!("19103232\t85754368\t{quota}\t0\n"),
            format!("18929152\t2054656\t0\t{refquota}\n"),
        ]
        .map(|text| level(&text).expect("four numbers"))
    }

    #[test]
    fn the_tightest_limit_counts() {
        let pool = Space { total: 3_892_314_112, available: 3_872_791_552 };
        let quota = Space { total: 104_857_600, available: 85_754_368 };
        let refquota = Space { total: 20_971_520, available: 2_054_656 };
        assert_eq!(tightest(&levels(0, 0)), Some(pool));
        assert_eq!(tightest(&levels(104_857_600, 0)), Some(quota));
        assert_eq!(tightest(&levels(104_857_600, 20_971_520)), Some(refquota));
        assert_eq!(tightest(&levels(0, 0)[..1]), Some(pool));
        assert_eq!(tightest(&[]), None);
        assert!(level("1\t2\t-\t-\n").is_ok_and(|volume| volume.quotas.is_empty()));
        assert!(level("-\t-\t0\t0").is_err() && level("").is_err());
    }
}
