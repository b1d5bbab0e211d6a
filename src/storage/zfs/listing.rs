//! What `zfs` prints, read. Its output with `-H` has a line for each thing, tabs between the columns, and with `-p` plain
//! numbers; no name has a tab in it.

use super::error::Error;
use crate::fileset::snapshot::Automatic;
use crate::storage::{Held, SnapshotName};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One of our snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: SnapshotName,
    pub used: Option<u64>,
    pub referenced: Option<u64>,
}

/// The output of `zfs list -Hp -t snapshot -o name,used,referenced -d 1 DATASET`, or with `-o name` alone of many datasets:
///
/// ```text
/// tank/BACKUP/web1@planb-20260102T0304Z  8192  98304
/// ```
///
/// Each row with its file system's name. Snapshots of others are left out.
pub fn snapshots(text: &str) -> impl Iterator<Item = (&str, Row)> {
    text.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        let (filesystem, snapshot) = columns.next()?.split_once('@')?;
        let name = SnapshotName::parse(snapshot)?;
        let mut number = || columns.next()?.parse().ok();
        let (used, referenced) = (number(), number());
        Some((filesystem, Row { name, used, referenced }))
    })
}

/// The datasets right below `parent`, by name, of `zfs list -Hp -t filesystem,snapshot -o name,used,planb:fileset -d 2 PARENT`:
///
/// ```text
/// tank/BACKUP  196608  -
/// tank/BACKUP/web1  98304  web1
/// tank/BACKUP/web1@planb-20260102T0304Z  8192  web1
/// ```
pub fn held(text: &str, parent: &str) -> Vec<Held> {
    let mut held: BTreeMap<&str, Held> = BTreeMap::new();
    for line in text.lines() {
        let mut columns = line.split('\t');
        let Some(name) = columns.next().and_then(|name| name.strip_prefix(parent)?.strip_prefix('/')) else {
            continue;
        };
        if let Some((dataset, snapshot)) = name.split_once('@') {
            if let (Some(dataset), Some(name)) = (held.get_mut(dataset), SnapshotName::parse(snapshot)) {
                dataset.snapshots += 1;
                dataset.newest = dataset.newest.max(Some(name.time()));
            }
        } else if let Ok(dataset) = name.parse() {
            let used = columns.next().and_then(|used| used.parse().ok());
            let fileset = columns.next().filter(|owner| *owner != "-").map(str::to_owned);
            held.insert(name, Held { name: dataset, fileset, snapshots: 0, newest: None, used });
        }
    }
    held.into_values().collect()
}

/// The automatic snapshots in a listing.
pub fn automatic(text: &str) -> BTreeSet<Automatic> {
    let name = |(_, row): (&str, Row)| match row.name {
        SnapshotName::Automatic(name) => Some(name),
        SnapshotName::Kept(_) => None,
    };
    snapshots(text).filter_map(name).collect()
}

/// Why a snapshot cannot be destroyed, if so.
///
/// The output of `zfs list -Hp -t snapshot -o name,userrefs,clones -d 1 DATASET`:
///
/// ```text
/// tank/BACKUP/web1@planb-20260102T0304Z  1  tank/restored,tank/test
/// ```
pub fn in_use(text: &str) -> HashMap<Automatic, String> {
    let row = |line: &str| {
        let mut columns = line.split('\t');
        let (_, snapshot) = columns.next()?.split_once('@')?;
        let name = snapshot.parse().ok()?;
        let (holds, clones) = (columns.next()?, columns.next().unwrap_or("-"));
        match (holds, clones) {
            ("0" | "-", "-" | "") => None,
            ("0" | "-", clones) => {
                Some((name, format!("there are clones of it: {}", clones.replace(',', ", "))))
            }
            (holds, _) => Some((name, format!("it is held, {holds} times (see zfs holds)"))),
        }
    };
    text.lines().filter_map(row).collect()
}

/// A property's value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub value: String,
    /// `local`, `default`, `received`, `inherited from NAME`, `temporary`, or `-`.
    pub source: String,
}

/// The properties of one dataset.
#[derive(Debug, Clone, Default)]
pub struct Properties(HashMap<String, Value>);

impl Properties {
    /// The output of `zfs get -Hp -o property,value,source NAME,... DATASET`:
    ///
    /// ```text
    /// mountpoint  /tank/BACKUP/web1  inherited from tank
    /// ```
    pub fn read(text: &str) -> Self {
        let row = |line: &str| {
            let mut columns = line.split('\t').map(str::to_owned);
            Some((columns.next()?, Value { value: columns.next()?, source: columns.next()? }))
        };
        Self(text.lines().filter_map(row).collect())
    }

    pub fn get(&self, name: &str) -> Result<&Value, Error> {
        self.0.get(name).ok_or_else(|| Error::NotUnderstood { said: format!("no property {name}") })
    }

    pub fn value(&self, name: &str) -> Result<&str, Error> {
        self.get(name).map(|value| value.value.as_str())
    }

    /// The value, if it is the dataset's own.
    pub fn own(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .filter(|value| matches!(value.source.as_str(), "local" | "received"))
            .map(|value| value.value.as_str())
    }

    /// Those of these names that nobody has set, neither here nor above.
    pub fn unset<'n>(&self, names: &[(&'n str, &'n str)]) -> Vec<(&'n str, &'n str)> {
        let is_default = |name: &str| self.0.get(name).is_some_and(|value| value.source == "default");
        names.iter().copied().filter(|(name, _)| is_default(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_snapshots_are_read_and_others_left_out() {
        let text = "tank/B/web1@planb-20260102T0304Z\t8192\t98304\ntank/B/web1@zfs-auto-1\t1\t2\n\
                    tank/B/web1@before-20260103T0304Z\t0\t98304\ntank/B/db1@planb-20260102T0304Z\n";
        let rows: Vec<(&str, String, Option<u64>)> =
            snapshots(text).map(|(of, row)| (of, row.name.to_string(), row.used)).collect();
        assert_eq!(
            rows,
            [
                ("tank/B/web1", "planb-20260102T0304Z".into(), Some(8192)),
                ("tank/B/web1", "before-20260103T0304Z".into(), Some(0)),
                ("tank/B/db1", "planb-20260102T0304Z".into(), None),
            ]
        );
    }

    #[test]
    fn every_dataset_is_listed_with_its_newest_snapshot() {
        let text = "tank/B\t400\t-\ntank/B/db1\t300\t-\ntank/B/db1@zfs-auto\t1\t-\ntank/B/db1/sub\t1\t-\n\
                    tank/B/web1\t200\tacme\ntank/B/web1@planb-20260103T0304Z\t8\tacme\n\
                    tank/B/web1@planb-20260102T0304Z\t8\tacme\ntank/B/Not Ours\t1\t-\n";
        let held = held(text, "tank/B");
        let seen: Vec<_> = held
            .iter()
            .map(|held| (held.name.as_str(), held.fileset.as_deref(), held.snapshots, held.used))
            .collect();
        assert_eq!(seen, [("db1", None, 0, Some(300)), ("web1", Some("acme"), 2, Some(200))]);
        let newest = SnapshotName::parse("planb-20260103T0304Z").map(|name| name.time());
        assert_eq!(held[1].newest, newest);
    }

    #[test]
    fn held_and_cloned_snapshots_are_in_use() {
        let text = "t/w@planb-20260102T0304Z\t0\t-\nt/w@planb-20260103T0304Z\t2\t-\nt/w@planb-20260104T0304Z\t0\tt/a,t/b\n\
                    t/w@planb-20260105T0304Z\t0\t\nt/w@other\t1\t-\n";
        let used = in_use(text);
        let why = |name: &str| used.get(&name.parse().expect("a name")).map(String::as_str);
        assert_eq!(used.len(), 2);
        assert_eq!(why("planb-20260103T0304Z"), Some("it is held, 2 times (see zfs holds)"));
        assert_eq!(why("planb-20260104T0304Z"), Some("there are clones of it: t/a, t/b"));
    }

    #[test]
    fn properties_tell_where_they_come_from() {
        let text = "mountpoint\t/tank/B/web1\tinherited from tank\nplanb:fileset\tweb1\tlocal\natime\ton\tdefault\n\
                    xattr\tsa\tinherited from tank\nencryptionroot\t-\t-\n";
        let properties = Properties::read(text);
        assert_eq!(properties.value("mountpoint").expect("there"), "/tank/B/web1");
        assert_eq!((properties.own("planb:fileset"), properties.own("mountpoint")), (Some("web1"), None));
        assert_eq!(properties.unset(&[("atime", "off"), ("xattr", "sa")]), [("atime", "off")]);
        assert!(properties.get("keystatus").is_err());
    }
}
