//! How pools are: asked once for all of them, by zpool-list(8) and zpool-status(8), and never of one that would not answer.

use super::Zfs;
use super::command::{check_pool, zpool};
use super::error::{Error, READ_ONLY_POOL};
use crate::fileset::reason::chain;
use crate::storage::health::{Finding, Health, Severity};
use std::collections::{BTreeSet, HashMap};

/// What is wrong with each of these pools.
pub type Pools = HashMap<String, Vec<Finding>>;

impl Zfs {
    pub fn pool(&self) -> &str {
        self.parent.pool()
    }

    pub fn health(&self, pools: &Pools) -> Health {
        let mut findings = pools.get(self.pool()).cloned().unwrap_or_default();
        // What is wrong with the pool is why there is nothing to be measured.
        let can_tell = findings.iter().all(|finding| finding.severity == Severity::Worn);
        let space = if can_tell { Some(self.room()) } else { None };
        let space =
            space.and_then(|space| space.map_err(|error| findings.push(Finding::of(&error.into()))).ok());
        Health { findings, space }
    }
}

/// Looks at these pools.
pub fn pools(names: BTreeSet<&str>) -> Pools {
    let mut pools = Pools::new();
    let mut answering = Vec::new();
    for name in names {
        match check_pool(name) {
            Ok(()) => answering.push(name),
            Err(error) => drop(pools.insert(name.to_owned(), vec![Finding::of(&error.into())])),
        }
    }
    if answering.is_empty() {
        return pools;
    }
    match ask(&answering) {
        Ok(found) => pools.extend(found),
        Err(error) => {
            // One that does not answer is no pool to rely on; anything else is our own trouble.
            let severity = match error {
                Error::TooLong { .. } => Severity::Broken,
                _ => Severity::Unseen,
            };
            let finding = Finding::new(severity, chain(&error));
            pools.extend(answering.into_iter().map(|name| (name.to_owned(), vec![finding.clone()])));
        }
    }
    pools
}

fn ask(names: &[&str]) -> Result<Pools, Error> {
    let listed = zpool(&[&["list", "-H", "-o", "name,health,readonly"], names].concat())?;
    let complaints = zpool(&[&["status", "-x"], names].concat())?;
    let (listed, complaints) = (rows(&listed), complaints_of(&complaints));
    let of = |name: &&str| {
        let findings = match listed.get(name) {
            Some(row) => judged(name, row, complaints.get(name)),
            // What is not there is an error; what is and is not listed, somebody keeps from us.
            None => vec![Finding::new(Severity::Unseen, format!("the pool {name} cannot be seen from here"))],
        };
        ((*name).to_owned(), findings)
    };
    Ok(names.iter().map(of).collect())
}

/// A pool in the output of `zpool list -H -o name,health,readonly`: `tank  DEGRADED  off`.
#[derive(Debug, PartialEq, Eq)]
struct Row<'t> {
    health: &'t str,
    is_read_only: bool,
}

fn rows(text: &str) -> HashMap<&str, Row<'_>> {
    let row = |line| {
        let mut columns = str::split(line, '\t');
        let (name, health) = (columns.next()?, columns.next()?);
        Some((name, Row { health, is_read_only: columns.next() == Some("on") }))
    };
    text.lines().filter_map(row).collect()
}

/// What `zpool status -x` has against a pool; it is silent about others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Complaint {
    /// The first sentence.
    status: String,
    /// What it says of errors in data, if there are any.
    lost: Option<String>,
}

/// The output of `zpool status -x`, of which these lines count:
///
/// ```text
///   pool: tank
/// status: One or more devices has experienced an error resulting in data
///         corruption.  Applications may be affected.
/// errors: 12 data errors, use '-v' for a list
/// ```
fn complaints_of(text: &str) -> HashMap<&str, Complaint> {
    let mut all: HashMap<&str, Complaint> = HashMap::new();
    let (mut pool, mut in_status) = ("", false);
    for line in text.lines() {
        // A pool's keys end in the same column; what a key says goes on behind a tab.
        if in_status && let Some(more) = line.strip_prefix('\t') {
            let status = &mut all.entry(pool).or_default().status;
            status.push(' ');
            status.push_str(more.trim());
            continue;
        }
        in_status = false;
        let Some((key, value)) = line.split_once(": ") else { continue };
        match key.trim_start() {
            "pool" => pool = value.trim(),
            "status" => {
                in_status = true;
                value.trim().clone_into(&mut all.entry(pool).or_default().status);
            }
            "errors" if value.trim() != "No known data errors" => {
                all.entry(pool).or_default().lost = Some(value.trim().to_owned());
            }
            _ => {}
        }
    }
    for complaint in all.values_mut() {
        let first = complaint.status.split(". ").next().unwrap_or_default();
        complaint.status = first.trim_end_matches('.').to_owned();
    }
    all
}

fn judged(name: &str, row: &Row<'_>, complaint: Option<&Complaint>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if row.is_read_only {
        findings.push(Finding::new(Severity::Broken, format!("{name} is read-only: {READ_ONLY_POOL}")));
    }
    if let Some(lost) = complaint.and_then(|complaint| complaint.lost.as_ref()) {
        let lost = lost.split(',').next().unwrap_or_default();
        findings.push(Finding::new(
            Severity::Broken,
            format!("the pool {name} has lost data ({lost}): zpool status -v {name} says which"),
        ));
    }
    let severity = match row.health {
        // It has nothing to say, or has said it.
        "ONLINE" if complaint.is_none_or(|c| c.status.is_empty() || c.lost.is_some()) => return findings,
        "ONLINE" | "DEGRADED" => Severity::Worn,
        _ => Severity::Broken,
    };
    let status = complaint.map(|complaint| complaint.status.as_str()).filter(|status| !status.is_empty());
    let status = status.map(|status| format!(": {status}")).unwrap_or_default();
    findings.push(Finding::new(
        severity,
        format!("the pool {name} is {}{status} (see zpool status {name})", row.health),
    ));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenZFS 2.1 and 2.3 print it.
    const SAID: &str = "  pool: m
 state: DEGRADED
status: One or more devices has been taken offline by the administrator.
\tSufficient replicas exist for the pool to continue functioning in a
\tdegraded state.
action: Online the device using 'zpool online' or replace the device with
\t'zpool replace'.
config:

\tNAME        STATE     READ WRITE CKSUM
\tm           DEGRADED     0     0     0
\t  mirror-0  DEGRADED     0     0     0
\t    /srv/a  ONLINE       0     0     0
\t    /srv/b  OFFLINE      0     0     0

errors: No known data errors

  pool: c
 state: ONLINE
status: One or more devices has experienced an error resulting in data
\tcorruption.  Applications may be affected.
action: Restore the file in question if possible.  Otherwise restore the
\tentire pool from backup.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-8A
  scan: scrub repaired 0B in 00:00:01 with 240 errors on Wed Nov 25 09:20:00 2026
config:

\tNAME        STATE     READ WRITE CKSUM
\tc           ONLINE       0     0     0
\t  /srv/c    ONLINE       0     0   482

errors: 240 data errors, use '-v' for a list
";

    #[test]
    fn what_zpool_says_is_told_by_what_it_means() {
        let complaints = complaints_of(SAID);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        let listed = rows("m\tDEGRADED\toff\nc\tONLINE\toff\nt\tONLINE\toff\nr\tONLINE\ton\nf\tFAULTED\t-\n");
        let found = |name| {
            let findings = judged(name, &listed[name], complaints.get(name));
            findings.into_iter().map(|finding| (finding.severity, finding.what)).collect::<Vec<_>>()
        };
        let offline = "the pool m is DEGRADED: One or more devices has been taken offline by the administrator (see zpool status m)";
        assert_eq!(found("m"), [(Severity::Worn, offline.into())]);
        assert_eq!(found("t"), []);
        assert_eq!(found("r"), [(Severity::Broken, format!("r is read-only: {READ_ONLY_POOL}"))]);
        assert_eq!(found("f"), [(Severity::Broken, "the pool f is FAULTED (see zpool status f)".into())]);
        assert_eq!(
            found("c"),
            [(
                Severity::Broken,
                "the pool c has lost data (240 data errors): zpool status -v c says which".into()
            )]
        );
        assert_eq!(complaints_of("all pools are healthy\n").len(), 0);
        assert_eq!(complaints_of("pool 'tank' is healthy\n").len(), 0);
    }
}
