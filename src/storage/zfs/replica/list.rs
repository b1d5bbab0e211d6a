//! What is below a container.

use super::{REPEATS, Replica};
use crate::fileset::replica::{Child, Kind, Token};
use crate::host::process::{Limits, Program};
use crate::host::signals::Stop;
use crate::storage::zfs::command::zfs;
use crate::storage::zfs::error::Error;
use crate::storage::{Copied, Error as StorageError, Frozen, Origin, Partial};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The last is [`REPEATS`].
const COLUMNS: &str =
    "name,type,guid,createtxg,userrefs,origin,encryptionroot,receive_resume_token,written,planb:repeats";

/// What a token says is short, and is known without a look at any disk.
const PATIENCE: Duration = Duration::from_secs(120);
const LONGEST: usize = 1 << 20;

/// All that is below a container, and its own snapshots.
#[derive(Debug, Default)]
pub struct Below {
    pub children: Vec<Copied>,
    /// Oldest first, those of others too.
    pub own: Vec<Frozen>,
}

impl Replica {
    /// One listing, whatever the number of datasets.
    pub fn below(&self) -> Result<Below, StorageError> {
        let types = "filesystem,volume,snapshot";
        let text = zfs(&["list", "-Hp", "-t", types, "-r", "-o", COLUMNS, &self.container])?;
        let mut below = read(&text, &self.container);
        for partial in below.children.iter_mut().filter_map(|copied| copied.partial.as_mut()) {
            partial.to = destination(&partial.token)?;
        }
        Ok(below)
    }
}

/// The output of `zfs list -Hp -t filesystem,volume,snapshot -r -o` [`COLUMNS`] `CONTAINER`:
///
/// ```text
/// tank/B/web1  filesystem  2129649694840874880  812  -  -  -  -  0  -
/// tank/B/web1/data  filesystem  17275722364057814927  820  -  -  -  1-97cf35cca-b8-789c63  0  -
/// tank/B/web1/data@planb-20260102T0304Z  snapshot  5923128981798763472  824  1  -  -  -  98304  -
/// tank/B/web1/data@planb-20260103T0304Z  snapshot  811672390122897345  830  0  -  -  -  0  yes
/// ```
///
/// What has a name that no child of ours could have is left out.
fn read(text: &str, container: &str) -> Below {
    let mut below = Below::default();
    let mut snapshots: BTreeMap<&str, Vec<Frozen>> = BTreeMap::new();
    let child_of = |name: &str| name.strip_prefix(container)?.strip_prefix('/')?.parse::<Child>().ok();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let &[name, kind, guid, createtxg, holds, origin, root, token, written, repeats] = columns.as_slice()
        else {
            continue;
        };
        let number = |text: &str| text.parse().unwrap_or_default();
        if let Some((dataset, snapshot)) = name.split_once('@') {
            snapshots.entry(dataset).or_default().push(Frozen {
                name: snapshot.to_owned(),
                guid: number(guid),
                createtxg: number(createtxg),
                is_held: !matches!(holds, "0" | "-"),
                // The property alone could be anybody's, and is not true any more where what it repeats is gone.
                is_repeat: repeats == REPEATS.1 && written == "0",
            });
            continue;
        }
        let Some(child) = child_of(name) else { continue };
        let origin = origin.split_once('@').and_then(|(dataset, snapshot)| {
            Some(Origin { child: child_of(dataset)?, snapshot: snapshot.to_owned() })
        });
        let partial = token.parse::<Token>().ok().map(|token| Partial { token, to: None });
        let is_raw = root.strip_prefix(container).is_some_and(|below| below.starts_with('/'));
        let kind = if kind == "volume" { Kind::Volume } else { Kind::Filesystem };
        below.children.push(Copied { child, kind, is_raw, origin, partial, snapshots: Vec::new() });
    }
    let mut of = |dataset: &str| {
        let mut all = snapshots.remove(dataset).unwrap_or_default();
        all.sort_by_key(|frozen| frozen.createtxg);
        all
    };
    for copied in &mut below.children {
        copied.snapshots = of(&format!("{container}/{}", copied.child));
    }
    below.own = of(container);
    below
}

/// The GUID of the snapshot that a token leads to.
///
/// The output of `zfs send -nvt TOKEN`, which ends in an error where, as usual, the dataset to be sent is not on this host:
///
/// ```text
/// resume token contents:
/// nvlist version: 0
///     object = 0x80
///     toguid = 0x52332e6d46efbbd0
/// ```
fn destination(token: &Token) -> Result<Option<u64>, Error> {
    let stop = Stop::new().map_err(Error::Listen)?;
    let limits = Limits { stop: &stop, deadline: Some(Instant::now() + PATIENCE) };
    let said = Program::find("zfs")?.args(["send", "-nvt", token.as_str()]).capture(limits, LONGEST)?;
    // 2.1 and 2.3 print it on different streams.
    let said = [said.stdout, said.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(said.iter().find_map(|text| guid(text)))
}

fn guid(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("toguid = 0x"))?;
    u64::from_str_radix(line, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_read_with_all_that_is_below() {
        let text = "t/w\tfilesystem\t1\t8\t-\t-\t-\t-\t0\t-\nt/w@planb-20260102T0304Z\tsnapshot\t2\t30\t0\t-\t-\t-\t0\t-\n\
                    t/w/data\tfilesystem\t3\t9\t-\t-\t-\t1-ab-cd\t0\t-\n\
                    t/w/data@b\tsnapshot\t5\t20\t1\t-\t-\t-\t0\t-\nt/w/data@a\tsnapshot\t4\t10\t0\t-\t-\t-\t9\t-\n\
                    t/w/data@c\tsnapshot\t15\t30\t0\t-\t-\t-\t0\tyes\nt/w/data@d\tsnapshot\t16\t40\t0\t-\t-\t-\t8\tyes\n\
                    t/w/data/vol\tvolume\t6\t11\t-\tt/w/old@x y\tt/w/data/vol\t-\t0\t-\n\
                    t/w/Not Ours\tfilesystem\t7\t12\t-\t-\t-\t-\t0\t-\nt/web\tfilesystem\t8\t12\t-\t-\t-\t-\t0\t-\n\
                    t/w/own\tfilesystem\t9\t12\t-\tt/elsewhere@x\tt/w\t-\t0\t-\n";
        let below = read(text, "t/w");
        assert_eq!(below.own.iter().map(|own| own.guid).collect::<Vec<_>>(), [2]);
        let names: Vec<&str> = below.children.iter().map(|copied| copied.child.as_str()).collect();
        assert_eq!(names, ["data", "data/vol", "own"]);
        let [data, vol, own] = below.children.as_slice() else { panic!("three") };
        let snapshots: Vec<_> = data.snapshots.iter().map(|s| (s.name.as_str(), s.guid, s.is_held)).collect();
        assert_eq!(snapshots, [("a", 4, false), ("b", 5, true), ("c", 15, false), ("d", 16, false)]);
        // One with something written to it repeats nothing, whatever it says.
        let repeats: Vec<&str> =
            data.snapshots.iter().filter(|s| s.is_repeat).map(|s| s.name.as_str()).collect();
        assert_eq!(repeats, ["c"]);
        let came = |name: &str| data.came(name).map(|came| came.name.as_str());
        assert_eq!((came("a"), came("c"), came("d"), came("e")), (Some("a"), Some("b"), Some("d"), None));
        assert_eq!(data.partial.as_ref().map(|partial| partial.token.as_str()), Some("1-ab-cd"));
        assert_eq!((vol.kind, vol.is_raw, own.is_raw), (Kind::Volume, true, false));
        let origin = Origin { child: "old".parse().expect("a name"), snapshot: "x y".into() };
        assert_eq!((vol.origin.as_ref(), own.origin.as_ref()), (Some(&origin), None));
    }

    #[test]
    fn a_token_tells_where_it_leads() {
        let said = "resume token contents:\nnvlist version: 0\n\tobject = 0x80\n\tbytes = 0xec060\n\ttoguid = 0x52332e6d46efbbd0\n\
                    \ttoname = src/data@a\n";
        assert_eq!(guid(said), Some(0x5233_2e6d_46ef_bbd0));
        assert_eq!(guid("cannot resume send"), None);
    }
}
