//! What a fileset can go back to, and why each snapshot is kept.

use crate::config::Fileset;
use crate::fileset::retention::Reason;
use crate::fileset::snapshot::Snapshot;
use crate::storage::{Listed, SnapshotName};
use serde::Serialize;
use time::OffsetDateTime;

/// One snapshot, as `snapshots --json` shows it. Fields may be added, none renamed; what is not known is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// `automatic`, or `kept` by a person.
    pub kind: &'static str,
    /// Why retention keeps it. Empty: the next run destroys it.
    pub keep: Vec<String>,
    /// Bytes that destroying it would free, where the storage knows.
    pub used_bytes: Option<u64>,
    /// Bytes of its files, where the storage knows.
    pub referenced_bytes: Option<u64>,
    /// Where the files are as they were.
    pub path: String,
}

/// The snapshots of a fileset, oldest first, with what its retention says of each.
pub fn of(fileset: &Fileset, listed: &[Listed]) -> Vec<Entry> {
    let snapshots: Vec<Snapshot> = listed.iter().map(|there| there.name.clone().into()).collect();
    let plan = fileset.retain.plan(&snapshots, &fileset.timezone);
    let entry = |(there, snapshot): (&Listed, &Snapshot)| Entry {
        name: there.name.to_string(),
        time: there.name.time(),
        kind: match there.name {
            SnapshotName::Automatic(_) => "automatic",
            SnapshotName::Kept(_) => "kept",
        },
        keep: plan.reasons(snapshot).iter().map(Reason::to_string).collect(),
        used_bytes: there.used,
        referenced_bytes: there.referenced,
        path: there.path.to_string_lossy().into_owned(),
    };
    let mut entries: Vec<Entry> = listed.iter().zip(&snapshots).map(entry).collect();
    entries.sort_by(|one, other| (one.time, &one.name).cmp(&(other.time, &other.name)));
    entries
}
