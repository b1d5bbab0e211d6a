//! Holds on what the next streams build on: zfs-hold(8).

use super::Replica;
use super::list::Below;
use crate::fileset::replica::Child;
use crate::storage::zfs::command::zfs;
use crate::storage::zfs::error::Error;
use crate::storage::{Error as StorageError, Frozen};
use std::collections::{BTreeSet, HashMap};

/// The tag of ours. `zfs release` with it is what a person says who wants to be rid of such a snapshot.
pub const HOLD: &str = "planb-base";

/// How many snapshots one call may name.
const AT_ONCE: usize = 500;

impl Replica {
    /// Holds these snapshots, which may be so already.
    pub fn hold(&self, below: &Below, bases: &[(&Child, &str)]) -> Result<(), StorageError> {
        let (mut free, mut held) = (Vec::new(), Vec::new());
        for (child, name) in bases {
            let copied = below.children.iter().find(|copied| copied.child == **child);
            let is_held = |frozen: &&Frozen| frozen.name == *name && frozen.is_held;
            let is_held = copied.is_some_and(|copied| copied.snapshots.iter().any(|frozen| is_held(&frozen)));
            let of = if is_held { &mut held } else { &mut free };
            of.push(format!("{}@{name}", self.full(child)));
        }
        let ours = with_our_hold(&held)?;
        free.extend(held.into_iter().filter(|held| !ours.contains(held)));
        let free: Vec<&String> = free.iter().collect();
        Ok(each(&["hold", HOLD], &free)?)
    }

    /// Lets go of all of these children's that are not these.
    pub fn release_others(&self, bases: &[(&Child, &str)]) -> Result<(), StorageError> {
        let below = self.below()?;
        let mut old = Vec::new();
        for (child, base) in bases {
            let Some(copied) = below.children.iter().find(|copied| copied.child == **child) else { continue };
            let held = copied.snapshots.iter().filter(|frozen| frozen.is_held && frozen.name != *base);
            old.extend(held.map(|frozen| format!("{}@{}", self.full(child), frozen.name)));
        }
        let ours = with_our_hold(&old)?;
        let ours: Vec<&String> = ours.iter().collect();
        Ok(each(&["release", HOLD], &ours)?)
    }
}

/// Which of these snapshots have our hold.
fn with_our_hold(snapshots: &[String]) -> Result<BTreeSet<String>, Error> {
    Ok(tags(snapshots)?
        .into_iter()
        .filter(|(_, tags)| tags.iter().any(|tag| tag == HOLD))
        .map(|(name, _)| name)
        .collect())
}

/// Who holds each of these snapshots.
pub fn tags(snapshots: &[String]) -> Result<HashMap<String, Vec<String>>, Error> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for snapshots in snapshots.chunks(AT_ONCE) {
        let mut arguments = vec!["holds", "-H"];
        arguments.extend(snapshots.iter().map(String::as_str));
        for (name, tag) in read(&zfs(&arguments)?) {
            all.entry(name.to_owned()).or_default().push(tag.to_owned());
        }
    }
    Ok(all)
}

/// The output of `zfs holds -H SNAPSHOT...`:
///
/// ```text
/// tank/B/web1/data@planb-20260102T0304Z  planb-base  Wed Nov 25  9:32 2026
/// ```
fn read(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.next()?))
    })
}

fn each(verb: &[&str], snapshots: &[&String]) -> Result<(), Error> {
    for snapshots in snapshots.chunks(AT_ONCE) {
        let arguments: Vec<&str> =
            verb.iter().copied().chain(snapshots.iter().map(|name| name.as_str())).collect();
        zfs(&arguments)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn holds_are_read_with_their_tags() {
        let text = "t/w/a@x\tplanb-base\tWed Nov 25  9:32 2026\nt/w/a@x\tmine\tWed Nov 25  9:32 2026\n";
        assert_eq!(read(text).collect::<Vec<_>>(), [("t/w/a@x", "planb-base"), ("t/w/a@x", "mine")]);
    }
}
