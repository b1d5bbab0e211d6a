//! What `zfs` prints, read. Its output with `-H` has a line for each thing, tabs between the columns, and with `-p` plain
//! numbers; no name has a tab in it.

use super::error::Error;
use crate::fileset::snapshot::Automatic;
use crate::storage::{Held, SnapshotName};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// One of our snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: SnapshotName,
    pub used: Option<u64>,
    pub referenced: Option<u64>,
    /// Of a container's: how many datasets below it have it, or should.
    pub children: Option<usize>,
}

/// The output of `zfs list -Hp -t snapshot -o name,used,referenced,planb:children -r DATASET`, or with `-o name` alone of
/// many datasets:
///
/// ```text
/// tank/BACKUP/web1@planb-20260102T0304Z  8192  98304  -
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
        let children = number().and_then(|children| usize::try_from(children).ok());
        Some((filesystem, Row { name, used, referenced, children }))
    })
}

/// The snapshots of a dataset, of a listing of it and of all that is below it: those of a container count what their
/// datasets have by the same name. The second are those that not all of their datasets have.
pub fn of_dataset(text: &str, dataset: &str) -> (Vec<Row>, Vec<SnapshotName>) {
    let (mut own, mut below) = (Vec::new(), HashMap::<String, Row>::new());
    for (filesystem, row) in snapshots(text) {
        if filesystem == dataset {
            own.push(row);
            continue;
        }
        let sum = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        match below.entry(row.name.to_string()) {
            Entry::Vacant(first) => drop(first.insert(Row { children: Some(1), ..row })),
            Entry::Occupied(mut all) => {
                let all = all.get_mut();
                all.used = sum(all.used, row.used);
                all.referenced = sum(all.referenced, row.referenced);
                all.children = all.children.map(|children| children + 1);
            }
        }
    }
    let mut broken = Vec::new();
    own.retain_mut(|row| {
        let Some(children) = row.children else { return true };
        let there = below.remove(&row.name.to_string());
        if there.as_ref().and_then(|there| there.children).unwrap_or(0) < children {
            broken.push(row.name.clone());
            return false;
        }
        if let Some(there) = there {
            let sum = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
            (row.used, row.referenced) = (sum(row.used, there.used), sum(row.referenced, there.referenced));
        }
        true
    });
    (own, broken)
}

/// The datasets right below `parent`, by name, of `zfs list -Hp -t filesystem,volume,snapshot -o name,used,planb:fileset,type
/// -d 2 PARENT`:
///
/// ```text
/// tank/BACKUP  196608  -  filesystem
/// tank/BACKUP/web1  98304  web1  filesystem
/// tank/BACKUP/web1@planb-20260102T0304Z  8192  web1  snapshot
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
        } else if let Some((dataset, _)) = name.split_once('/') {
            if let Some(dataset) = held.get_mut(dataset) {
                dataset.is_container = true;
            }
        } else if let (Ok(dataset), false) = (name.parse(), line.ends_with("\tvolume")) {
            let used = columns.next().and_then(|used| used.parse().ok());
            let fileset = columns.next().filter(|owner| *owner != "-").map(str::to_owned);
            let (snapshots, newest, is_container) = (0, None, false);
            held.insert(name, Held { name: dataset, fileset, snapshots, newest, used, is_container });
        }
    }
    held.into_values().collect()
}

/// Of how many datasets a container's snapshots are: the container, the snapshot, the number.
///
/// The output of `zfs list -Hp -t snapshot -o name,planb:children -d 1 DATASET...`:
///
/// ```text
/// tank/BACKUP/web1@planb-20260102T0304Z  3
/// ```
pub fn children(text: &str) -> impl Iterator<Item = (&str, &str, usize)> {
    text.lines().filter_map(|line| {
        let (name, children) = line.split_once('\t')?;
        let (dataset, snapshot) = name.split_once('@')?;
        Some((dataset, snapshot, children.parse().ok()?))
    })
}

/// How many datasets below another, at whatever depth, have a snapshot of a name, of a listing of all by name.
pub fn counted(text: &str) -> HashMap<(&str, &str), usize> {
    let mut counted = HashMap::new();
    for line in text.lines() {
        let Some((dataset, snapshot)) = line.split_once('@') else { continue };
        for (at, _) in dataset.match_indices('/') {
            *counted.entry((&dataset[..at], snapshot)).or_default() += 1;
        }
    }
    counted
}

/// An automatic snapshot, and what keeps it from being destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Use<'t> {
    pub filesystem: &'t str,
    pub name: Automatic,
    /// How many holds.
    pub holds: usize,
    /// Separated by commas.
    pub clones: &'t str,
}

impl Use<'_> {
    pub fn is_free(&self) -> bool {
        self.holds == 0 && self.clones.is_empty()
    }

    pub fn clones(&self) -> impl Iterator<Item = &str> {
        self.clones.split(',').filter(|clone| !clone.is_empty())
    }

    /// Why it cannot be destroyed, if so.
    pub fn why(&self) -> Option<String> {
        match (self.holds, self.clones) {
            (0, "") => None,
            (0, clones) => Some(format!("there are clones of it: {}", clones.replace(',', ", "))),
            (holds, _) => Some(format!("it is held, {holds} times (see zfs holds)")),
        }
    }
}

/// The output of `zfs list -Hp -t snapshot -o name,userrefs,clones -r DATASET`:
///
/// ```text
/// tank/BACKUP/web1@planb-20260102T0304Z  1  tank/restored,tank/test
/// ```
pub fn uses(text: &str) -> impl Iterator<Item = Use<'_>> {
    text.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        let (filesystem, snapshot) = columns.next()?.split_once('@')?;
        let name = snapshot.parse().ok()?;
        let holds = columns.next()?.parse().unwrap_or(0);
        let clones = columns.next().filter(|clones| *clones != "-").unwrap_or_default();
        Some(Use { filesystem, name, holds, clones })
    })
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
    fn a_snapshot_of_a_container_is_one_that_all_its_datasets_have() {
        let text = "t/w@planb-20260101T0000Z\t1\t10\t2\nt/w@planb-20260102T0000Z\t1\t10\t2\nt/w@planb-20260103T0000Z\t1\t10\t-\n\
                    t/w/a@planb-20260101T0000Z\t100\t1000\t-\nt/w/a@planb-20260102T0000Z\t0\t0\t-\n\
                    t/w/a@planb-20260104T0000Z\t0\t0\t-\nt/w/a/b@planb-20260101T0000Z\t100\t1000\t-\n";
        let (rows, broken) = of_dataset(text, "t/w");
        let seen: Vec<_> = rows.iter().map(|row| (row.name.to_string(), row.used, row.referenced)).collect();
        assert_eq!(
            seen,
            [
                ("planb-20260101T0000Z".to_owned(), Some(201), Some(2010)),
                ("planb-20260103T0000Z".to_owned(), Some(1), Some(10))
            ]
        );
        assert_eq!(broken.iter().map(ToString::to_string).collect::<Vec<_>>(), ["planb-20260102T0000Z"]);
        let names = "t/w/a/b@x\nt/w/a@x\nt/w@x\nt/w/a@y\n";
        let counted = counted(names);
        assert_eq!((counted.get(&("t/w", "x")), counted.get(&("t/w", "y"))), (Some(&2), Some(&1)));
        let wanted: Vec<_> = children("t/w@x\t2\nt/w@y\t-\n").collect();
        assert_eq!(wanted, [("t/w", "x", 2)]);
    }

    #[test]
    fn every_dataset_is_listed_with_its_newest_snapshot() {
        let text = "tank/B\t400\t-\tfilesystem\ntank/B/db1\t300\t-\tfilesystem\ntank/B/db1@zfs-auto\t1\t-\tsnapshot\n\
                    tank/B/db1/sub\t1\t-\tvolume\ntank/B/web1\t200\tacme\tfilesystem\n\
                    tank/B/web1@planb-20260103T0304Z\t8\tacme\tsnapshot\ntank/B/web1@planb-20260102T0304Z\t8\tacme\tsnapshot\n\
                    tank/B/disk\t9\t-\tvolume\ntank/B/Not Ours\t1\t-\tfilesystem\n";
        let held = held(text, "tank/B");
        let seen: Vec<_> = held
            .iter()
            .map(|held| (held.name.as_str(), held.fileset.as_deref(), held.snapshots, held.used))
            .collect();
        assert_eq!(seen, [("db1", None, 0, Some(300)), ("web1", Some("acme"), 2, Some(200))]);
        assert_eq!(held.iter().map(|held| held.is_container).collect::<Vec<_>>(), [true, false]);
        let newest = SnapshotName::parse("planb-20260103T0304Z").map(|name| name.time());
        assert_eq!(held[1].newest, newest);
    }

    #[test]
    fn held_and_cloned_snapshots_are_in_use() {
        let text = "t/w@planb-20260102T0304Z\t0\t-\nt/w@planb-20260103T0304Z\t2\t-\nt/w@planb-20260104T0304Z\t0\tt/a,t/b\n\
                    t/w@planb-20260105T0304Z\t0\t\nt/w@other\t1\t-\n";
        let whys: Vec<Option<String>> = uses(text).map(|used| used.why()).collect();
        let why = |text: &str| Some(text.to_owned());
        assert_eq!(
            whys,
            [None, why("it is held, 2 times (see zfs holds)"), why("there are clones of it: t/a, t/b"), None]
        );
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
