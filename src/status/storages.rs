//! How the storages are that filesets are kept in. Each is looked at once, whatever the number of its filesets.

use super::health::{Level, Problem};
use crate::config::Fileset;
use crate::fileset::name::StorageName;
use crate::fileset::quantity::{Size, counted};
use crate::host::paths::Paths;
use crate::storage::health::{self, Finding, Health, Severity};
use crate::storage::{Space, Storage};
use serde::Serialize;
use std::collections::BTreeMap;

/// One storage that enabled filesets have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageStatus {
    pub name: StorageName,
    /// `zfs`, `btrfs` or `directory`.
    pub kind: &'static str,
    /// For all of its filesets together; absent where it cannot be seen.
    pub space: Option<Space>,
    /// The bytes that the strictest `min-free` of its filesets asks for.
    pub least_free: Option<u64>,
    /// What somebody should look at, the worst first.
    pub problems: Vec<Problem>,
}

/// The same, as `list --json` shows it. Fields may be added, none renamed; what is not known is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub level: Level,
    pub problems: Vec<String>,
    pub total_bytes: Option<u64>,
    pub available_bytes: Option<u64>,
}

impl StorageStatus {
    /// The worst that there is to say.
    pub fn level(&self) -> Level {
        self.problems.first().map_or(Level::Ok, |worst| worst.level)
    }

    pub fn entry(&self) -> Entry {
        Entry {
            name: self.name.to_string(),
            kind: self.kind,
            level: self.level(),
            problems: self.problems.iter().map(|problem| problem.what.clone()).collect(),
            total_bytes: self.space.map(|space| space.total),
            available_bytes: self.space.map(|space| space.available),
        }
    }
}

/// Whether what there is to say of a fileset is said of its storage already: a pool that is away is one thing to look at, not
/// a thousand.
pub fn have_told(storages: &[StorageStatus], of_fileset: &Problem) -> bool {
    storages.iter().flat_map(|storage| &storage.problems).any(|told| of_fileset.what.ends_with(&told.what))
}

/// The storages of those of these filesets that are enabled: what nobody is backed up to may be away.
pub fn of<'f>(paths: &Paths, filesets: impl IntoIterator<Item = &'f Fileset>) -> Vec<StorageStatus> {
    let mut used: BTreeMap<&StorageName, Vec<&Fileset>> = BTreeMap::new();
    for fileset in filesets.into_iter().filter(|fileset| fileset.enabled) {
        used.entry(&fileset.storage.name).or_default().push(fileset);
    }
    let settings = |filesets: &Vec<&'f Fileset>| filesets.first().map(|first| &first.storage.settings);
    let storages: Vec<Storage> =
        used.values().filter_map(settings).map(|settings| Storage::new(settings, paths)).collect();
    let looked = used.iter().zip(health::look(&storages));
    looked.map(|((name, filesets), health)| one(name, filesets, health)).collect()
}

fn one(name: &StorageName, filesets: &[&Fileset], health: Health) -> StorageStatus {
    let Health { findings, space } = health;
    let least = |space: Space| -> Vec<u64> {
        filesets.iter().filter_map(|fileset| Some(fileset.guard.min_free?.of(space.total))).collect()
    };
    let limits = space.map(least).unwrap_or_default();
    let mut problems: Vec<Problem> = findings.into_iter().map(problem).collect();
    problems.extend(space.and_then(|space| narrow(space, &limits)));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.level));
    let kind = filesets.first().map_or("", |first| first.storage.settings.kind());
    StorageStatus { name: name.clone(), kind, space, least_free: limits.into_iter().max(), problems }
}

fn problem(Finding { severity, what }: Finding) -> Problem {
    let level = match severity {
        Severity::Worn => Level::Warning,
        Severity::Broken => Level::Critical,
        Severity::Unseen => Level::Unknown,
    };
    Problem::new(level, what)
}

/// The room is less than runs ask for before they begin, or soon will be. `limits`: what each asks for.
fn narrow(space: Space, limits: &[u64]) -> Option<Problem> {
    let refused = limits.iter().filter(|limit| space.available < **limit).count();
    let strictest = limits.iter().copied().max()?;
    let [available, total, limit] = [space.available, space.total, strictest].map(Size::from_bytes);
    if refused > 0 {
        let whom = counted(refused as u64, "fileset");
        return Some(Problem::new(
            Level::Critical,
            format!(
                "{available} free of {total}, and min-free asks for {limit}: no run of {whom} begins until there is room \
                 (`planb prune`, fewer periods in `retain`, a larger storage)"
            ),
        ));
    }
    // As much again is left before that is so.
    (space.available < strictest.saturating_mul(2)).then(|| {
        Problem::new(
            Level::Warning,
            format!("{available} free of {total}: below {limit} (min-free) no run begins"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_all_is_told_once() {
        let told = |what: &str| Problem::new(Level::Critical, what);
        let (kind, space, least_free) = ("zfs", None, None);
        let problems = vec![told("the pool tank is not there")];
        let name = "main".parse().expect("a name");
        let storages = [StorageStatus { name, kind, space, least_free, problems }];
        assert!(have_told(
            &storages,
            &told("failed to list the snapshots below tank: the pool tank is not there")
        ));
        assert!(!have_told(&storages, &told("its newest snapshot is 3d old")));
    }

    #[test]
    fn it_is_said_before_the_room_is_too_little_and_then() {
        let level = |available, limits: &[u64]| {
            narrow(Space { total: 1000, available }, limits).map(|problem| (problem.level, problem.what))
        };
        assert_eq!(level(0, &[]), None);
        assert_eq!(level(100, &[50, 20]), None);
        let soon = "99 B free of 1000 B: below 50 B (min-free) no run begins";
        assert_eq!(level(99, &[50, 20]), Some((Level::Warning, soon.into())));
        assert_eq!(level(50, &[50, 20]).map(|(level, _)| level), Some(Level::Warning));
        let (worst, what) = level(49, &[50, 20]).expect("too little");
        assert_eq!(worst, Level::Critical);
        assert!(
            what.starts_with("49 B free of 1000 B, and min-free asks for 50 B: no run of 1 fileset begins"),
            "{what}"
        );
    }
}
