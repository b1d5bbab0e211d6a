//! What runs left that never came to their end: snapshots of some datasets that are none of the fileset.

use super::Replica;
use super::list::Below;
use crate::fileset::replica::{Child, CopyId};
use crate::storage::Error as StorageError;
use crate::storage::zfs::command::zfs;
use crate::storage::{Copied, Frozen, SnapshotName};

impl Replica {
    /// Destroys them, but for what this run is about to make a snapshot of the fileset by the name of `now`. How many.
    ///
    /// One of `bases`, which are held by now, is built on, and goes when it no longer is (`zfs destroy -d`).
    pub fn sweep(
        &self,
        below: &Below,
        bases: &[(&Child, &str)],
        now: &SnapshotName,
    ) -> Result<usize, StorageError> {
        let since = below.own.iter().filter(|own| SnapshotName::parse(&own.name).is_some());
        let since = since.map(|own| own.createtxg).max().unwrap_or(0);
        let now = now.to_string();
        let mut swept = 0;
        for copied in &below.children {
            let left = left(copied, self.copy, since, &now);
            let is_base = |name: &&str| bases.contains(&(&copied.child, name));
            let (later, left): (Vec<&str>, Vec<&str>) = left.into_iter().partition(is_base);
            for (how, names) in [(&["destroy"][..], &left), (&["destroy", "-d"], &later)] {
                if !names.is_empty() {
                    let names = format!("{}@{}", self.full(&copied.child), names.join(","));
                    zfs(&[how, &[names.as_str()]].concat())?;
                }
            }
            swept += left.len();
        }
        Ok(swept)
    }
}

/// Of what came since the newest snapshot of the fileset, only what such a run can have left: with a name that we give,
/// held by nobody, and with a newer one after it.
fn left<'c>(copied: &'c Copied, copy: CopyId, since: u64, now: &str) -> Vec<&'c str> {
    let Some((_, older)) = copied.snapshots.split_last() else { return Vec::new() };
    let is_ours = |frozen: &Frozen| {
        matches!(SnapshotName::parse(&frozen.name), Some(SnapshotName::Automatic(_)))
            || frozen.name.parse().is_ok_and(|mark| copy.names(&mark))
    };
    older
        .iter()
        .filter(|frozen| frozen.createtxg > since && !frozen.is_held && frozen.name != now && is_ours(frozen))
        .map(|frozen| frozen.name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fileset::replica::Kind;

    #[test]
    fn only_what_an_unfinished_run_left_goes() {
        let copy = CopyId(7);
        let mark = "planb-20260105T000000Z-0000000000000007";
        let frozen = |name: &str, createtxg, is_held| Frozen {
            name: name.into(),
            guid: 0,
            createtxg,
            is_held,
            is_repeat: false,
        };
        let copied = Copied {
            child: "data".parse().expect("a name"),
            kind: Kind::Filesystem,
            is_raw: false,
            origin: None,
            partial: None,
            snapshots: vec![
                frozen("planb-20260101T0000Z", 10, false),
                frozen("planb-20260102T0000Z", 20, false),
                frozen(mark, 21, false),
                frozen("planb-20260105T000000Z-0000000000000008", 21, false),
                frozen("planb-20260103T0000Z", 22, true),
                frozen("by-hand", 23, false),
                frozen("kept-20260103T0000Z", 24, false),
                frozen("planb-20260104T0000Z", 25, false),
                frozen("planb-20260105T0000Z", 26, false),
            ],
        };
        let left = |since, now: &str| left(&copied, copy, since, now);
        assert_eq!(left(15, "planb-20260105T0000Z"), ["planb-20260102T0000Z", mark, "planb-20260104T0000Z"]);
        // This run's may not be the newest, and the newest is nobody's to destroy whatever it is called.
        assert_eq!(left(21, "planb-20260104T0000Z"), [""; 0]);
    }
}
