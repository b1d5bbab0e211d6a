//! What `zfs list` says of the source, read. It is the source's own word.

use super::selection::Selection;
use super::wire::{Bookmark, CopyId, Dataset, Encryption, Kind, Mark, Snapshot, Source};
use std::collections::BTreeMap;

/// A line that says nothing of what it should, or names something that we could not say to a shell.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Strange {
    #[error("zfs on the source lists {0:?}, which is not understood")]
    Line(String),
    #[error(
        "there is a dataset {0:?} below, whose name has characters that PlanB does not take: rename it, or leave it out \
         with `exclude` (* stands for anything within one component)"
    )]
    Name(String),
}

/// One line of `zfs list -Hp -o name,type,guid,createtxg,encryption,encryptionroot,keystatus,referenced,written,userrefs,planb:copy`:
///
/// ```text
/// rpool/data  filesystem  5108  1123  aes-256-gcm  rpool  available  98304  0  -  -
/// rpool/data@planb-20260102T030405Z-0000000000000007  snapshot  811  2077  aes-256-gcm  rpool  available  98304  0  1  0000000000000007
/// rpool/data#planb-20260102T030405Z-0000000000000007  bookmark  811  2077  -  -  -  98304  -  -  -
/// ```
struct Row<'t> {
    name: &'t str,
    kind: &'t str,
    guid: u64,
    createtxg: u64,
    encryption: &'t str,
    root: &'t str,
    key: &'t str,
    referenced: u64,
    written: u64,
    holds: u64,
    copy: &'t str,
}

impl<'t> Row<'t> {
    fn read(line: &'t str) -> Result<Self, Strange> {
        let strange = || Strange::Line(line.chars().take(200).collect());
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, kind, guid, createtxg, encryption, root, key, referenced, written, holds, copy] =
            columns[..]
        else {
            return Err(strange());
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| strange());
        // What a thing of this kind does not have.
        let figure = |text: &str| if text == "-" || text.is_empty() { Ok(0) } else { number(text) };
        Ok(Self {
            name,
            kind,
            guid: number(guid)?,
            createtxg: number(createtxg)?,
            encryption,
            root,
            key,
            referenced: figure(referenced)?,
            written: figure(written)?,
            holds: figure(holds)?,
            copy,
        })
    }

    fn snapshot(&self, copy: CopyId) -> Option<Snapshot> {
        let (dataset, name) = self.name.split_once('@')?;
        let name: Mark = name.parse().ok()?;
        Some(Snapshot {
            dataset: dataset.parse().ok()?,
            guid: self.guid,
            createtxg: self.createtxg,
            written: self.written,
            referenced: self.referenced,
            // The property alone could be inherited from a dataset that somebody set it on.
            is_ours: self.copy == copy.to_string() && copy.names(&name),
            is_held: self.holds > 0,
            name,
        })
    }

    fn bookmark(&self, copy: CopyId) -> Option<(&'t str, Bookmark)> {
        let (dataset, name) = self.name.split_once('#')?;
        let name: Mark = name.parse().ok()?;
        let is_ours = copy.names(&name);
        Some((dataset, Bookmark { guid: self.guid, createtxg: self.createtxg, is_ours, name }))
    }

    fn dataset(&self, kind: Kind, selection: &Selection) -> Result<Option<Source>, Strange> {
        let unsayable = || Strange::Name(self.name.chars().take(255).collect());
        let dataset: Dataset = match self.name.parse() {
            Ok(dataset) => dataset,
            // Left out it may be called as it likes.
            Err(_) if selection.leaves_out(self.name) => return Ok(None),
            Err(_) => return Err(unsayable()),
        };
        let Some(child) = selection.child(&dataset) else { return Ok(None) };
        let encryption = match self.encryption {
            "off" | "-" => None,
            _ => {
                let root = self.root.parse().map_err(|_| unsayable())?;
                Some(Encryption { root, key_is_loaded: self.key == "available" })
            }
        };
        Ok(Some(Source {
            dataset,
            child,
            kind,
            guid: self.guid,
            encryption,
            referenced: self.referenced,
            snapshots: Vec::new(),
            bookmarks: Vec::new(),
        }))
    }
}

/// The datasets that the fileset is about, by name, so parents before their children, with all they have.
pub fn datasets(text: &str, selection: &Selection, copy: CopyId) -> Result<Vec<Source>, Strange> {
    let mut found: BTreeMap<String, Source> = BTreeMap::new();
    let (mut snapshots, mut bookmarks) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let row = Row::read(line)?;
        let kind = match row.kind {
            "filesystem" => Kind::Filesystem,
            "volume" => Kind::Volume,
            "snapshot" => {
                snapshots.extend(row.snapshot(copy));
                continue;
            }
            "bookmark" => {
                bookmarks.extend(row.bookmark(copy));
                continue;
            }
            _ => return Err(Strange::Line(line.chars().take(200).collect())),
        };
        if let Some(source) = row.dataset(kind, selection)? {
            found.insert(source.dataset.to_string(), source);
        }
    }
    snapshots.sort_by_key(|snapshot| snapshot.createtxg);
    bookmarks.sort_by_key(|(_, bookmark)| bookmark.createtxg);
    for snapshot in snapshots {
        if let Some(source) = found.get_mut(snapshot.dataset.as_str()) {
            source.snapshots.push(snapshot);
        }
    }
    for (dataset, bookmark) in bookmarks {
        if let Some(source) = found.get_mut(dataset) {
            source.bookmarks.push(bookmark);
        }
    }
    Ok(found.into_values().collect())
}

/// Snapshots alone.
pub fn snapshots(text: &str, copy: CopyId) -> Result<Vec<Snapshot>, Strange> {
    let read = |line: &str| Row::read(line).map(|row| row.snapshot(copy));
    text.lines().filter_map(|line| read(line).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::selection::tests::selection;
    use super::*;

    const TEXT: &str = "\
rpool/data\tfilesystem\t10\t5\toff\t-\t-\t98304\t0\t-\t-
rpool/data@planb-20260102T040405Z-0000000000000007\tsnapshot\t13\t30\toff\t-\t-\t98304\t512\t0\t0000000000000007
rpool/data@planb-20260102T030405Z-0000000000000007\tsnapshot\t12\t20\toff\t-\t-\t98304\t0\t1\t0000000000000007
rpool/data@planb-20260102T030405Z-0000000000000008\tsnapshot\t14\t21\toff\t-\t-\t98304\t0\t0\t0000000000000008
rpool/data@with blank\tsnapshot\t15\t22\toff\t-\t-\t98304\t0\t0\t-
rpool/data@inherits\tsnapshot\t16\t23\toff\t-\t-\t98304\t0\t0\t0000000000000007
rpool/data#planb-20260102T030405Z-0000000000000007\tbookmark\t12\t20\t-\t-\t-\t98304\t-\t-\t-
rpool/data#theirs\tbookmark\t16\t23\t-\t-\t-\t-\t-\t-\t-
rpool/data/vm\tvolume\t20\t6\taes-256-gcm\trpool/data/vm\tunavailable\t8192\t8192\t-\t-
rpool/data/tmp\tfilesystem\t21\t7\toff\t-\t-\t98304\t0\t-\t-
rpool/data/tmp/a b\tfilesystem\t22\t8\toff\t-\t-\t98304\t0\t-\t-
";

    #[test]
    fn what_is_ours_is_told_from_what_is_not() {
        let selection = selection(&["rpool/data:d"], &["rpool/data/tmp"], true);
        let found = datasets(TEXT, &selection, CopyId(7)).expect("understood");
        let [data, vm] = &found[..] else { panic!("{found:#?}") };
        assert_eq!((data.child.as_str(), data.kind, &data.encryption), ("d", Kind::Filesystem, &None));
        let snapshots: Vec<_> =
            data.snapshots.iter().map(|s| (s.guid, s.is_ours, s.is_held, s.written)).collect();
        assert_eq!(
            snapshots,
            [(12, true, true, 0), (14, false, false, 0), (16, false, false, 0), (13, true, false, 512)]
        );
        let bookmarks: Vec<_> = data.bookmarks.iter().map(|b| (b.guid, b.is_ours)).collect();
        assert_eq!(bookmarks, [(12, true), (16, false)]);
        assert_eq!((vm.child.as_str(), vm.kind), ("d/vm", Kind::Volume));
        assert!(vm.encryption.as_ref().is_some_and(|e| !e.key_is_loaded && e.root == vm.dataset), "{vm:?}");
    }

    #[test]
    fn what_cannot_be_said_is_never_passed_over() {
        let all = selection(&["rpool/data"], &[], true);
        assert_eq!(datasets(TEXT, &all, CopyId(7)), Err(Strange::Name("rpool/data/tmp/a b".into())));
        for strange in [
            "",
            "rpool/data\tfilesystem",
            "a\tzebra\t1\t1\t-\t-\t-\t1\t1\t-\t-",
            "a\tvolume\t-1\t1\t-\t-\t-\t1\t1\t-\t-",
        ] {
            assert!(
                matches!(datasets(&format!("{strange}\n"), &all, CopyId(7)), Err(Strange::Line(_))),
                "{strange}"
            );
        }
    }

    #[test]
    fn only_what_is_meant_is_listed_where_what_is_below_is_not() {
        let flat = selection(&["rpool/data"], &[], false);
        let text = TEXT.lines().filter(|line| !line.contains("a b")).collect::<Vec<_>>().join(
            "
",
        );
        let found = datasets(&text, &flat, CopyId(8)).expect("understood");
        assert_eq!(found.iter().map(|source| source.dataset.as_str()).collect::<Vec<_>>(), ["rpool/data"]);
        assert_eq!(found[0].snapshots.iter().filter(|snapshot| snapshot.is_ours).count(), 1);
    }
}
