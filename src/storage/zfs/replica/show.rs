//! Looking into a container: what is below it is mounted read-only, each at its own place.

use super::SOURCE;
use crate::storage::zfs::command::zfs;
use crate::storage::zfs::error::Error;

/// Mounts the file systems below a container that is open, if it is one. What cannot be is told, with what to do.
pub fn show(container: &str) -> Result<bool, Error> {
    let columns = format!("name,mounted,keystatus,{SOURCE}");
    let text = zfs(&["list", "-Hp", "-t", "filesystem,volume", "-r", "-o", &columns, container])?;
    let children = read(&text, container);
    for child in &children {
        match child.state {
            State::Mounted => {}
            State::Volume => log::info!(
                "{0} is a volume: make a clone of a snapshot to look into it (zfs clone -o volmode=default {0}@... ...)",
                child.name
            ),
            State::Locked => log::info!(
                "{0} is encrypted with a key of its source: zfs load-key {0}, then zfs mount -o ro {0}",
                child.name
            ),
            State::Closed => {
                // As where the source has it mounted elsewhere: the one above has no directory for it, and is read-only.
                if let Err(error) = zfs(&["mount", "-o", "ro,nosuid,nodev,noexec", child.name]) {
                    log::warn!(
                        "{0} is not shown: {error}. To look into it: mount -t zfs -o ro {0} /mnt",
                        child.name
                    );
                }
            }
        }
    }
    Ok(!children.is_empty())
}

#[derive(Debug, PartialEq, Eq)]
struct Shown<'t> {
    name: &'t str,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Mounted,
    Closed,
    Locked,
    Volume,
}

/// The output of `zfs list -Hp -t filesystem,volume -r -o name,mounted,keystatus,planb:source CONTAINER`:
///
/// ```text
/// tank/B/web1  yes  -  -
/// tank/B/web1/data  no  -  rpool/data
/// ```
fn read<'t>(text: &'t str, container: &str) -> Vec<Shown<'t>> {
    let child = |line: &'t str| {
        let mut columns = line.split('\t');
        let (name, mounted, key, source) =
            (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
        if name == container || source == "-" {
            return None;
        }
        let state = match (mounted, key) {
            ("-", _) => State::Volume,
            ("yes", _) => State::Mounted,
            (_, "unavailable") => State::Locked,
            _ => State::Closed,
        };
        Some(Shown { name, state })
    };
    text.lines().filter_map(child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_a_source_is_told_from_the_rest() {
        let text = "t/w\tyes\t-\t-\nt/w/data\tno\tavailable\tr/data\nt/w/enc\tno\tunavailable\tr/enc\n\
                    t/w/mine\tno\t-\t-\nt/w/vol\t-\t-\tr/vol\n";
        let seen: Vec<_> = read(text, "t/w").into_iter().map(|shown| (shown.name, shown.state)).collect();
        assert_eq!(
            seen,
            [("t/w/data", State::Closed), ("t/w/enc", State::Locked), ("t/w/vol", State::Volume)]
        );
        assert_eq!(read("t/w\tyes\t-\t-\n", "t/w"), []);
    }
}
