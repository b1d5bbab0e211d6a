//! What btrfs says of its disks: errors that it has counted on them, and whether one is missing.
//!
//! The kernel tells everybody in `/sys/fs/btrfs`. Where that cannot be seen, as in a container, root may ask btrfs-device(8).

use super::Btrfs;
use super::subvolume;
use crate::host::mounts::{self, Mount};
use crate::storage::health::{Finding, Health, Severity};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, fstatfs};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One directory for each file system that is mounted, and in it what the kernel calls its devices.
const SYSFS: &str = "/sys/fs/btrfs";

/// A disk, by what people know it by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    is_missing: bool,
    /// Each kind of error that was counted, as `corruption_errs`.
    errors: BTreeMap<String, u64>,
}

pub type Disks = BTreeMap<String, Disk>;

impl Btrfs {
    pub fn health(&self) -> Health {
        let mut health = self.place.health();
        let Ok(root) = self.place.open() else { return health };
        let path = self.place.path();
        match fstatfs(&root) {
            Ok(kind) if kind.filesystem_type() == BTRFS_SUPER_MAGIC => {}
            _ => return Finding::of(&crate::storage::Error::NotBtrfs { path: path.to_owned() }).into(),
        }
        let mount = mounts::holding(&root).ok().flatten();
        let told = mount.as_ref().and_then(|mount| in_sysfs(Path::new(SYSFS), mount));
        let disks = match told {
            Some(disks) => Ok(Some(disks)),
            None => subvolume::device_stats(path).map(|said| said.map(|text| counted(&text))),
        };
        match disks {
            Ok(Some(disks)) => health.findings.extend(judged(path, &disks)),
            Ok(None) => {
                let what = format!("only root may ask how the disks of {} are", path.display());
                health.findings.push(Finding::new(Severity::Unseen, what));
            }
            Err(error) => health.findings.push(Finding::of(&error)),
        }
        health
    }
}

/// What the kernel tells of the file system that is mounted there; `None` where that cannot be seen.
fn in_sysfs(sysfs: &Path, mount: &Mount) -> Option<Disks> {
    let here = fs::read_dir(sysfs).ok()?.flatten().map(|entry| entry.path()).find(|filesystem| {
        let devices = fs::read_dir(filesystem.join("devices")).into_iter().flatten().flatten();
        devices.into_iter().any(|device| is_called(&device.path(), &mount.source))
    })?;
    let mut disks = Disks::new();
    for info in fs::read_dir(here.join("devinfo")).ok()?.flatten() {
        let read = |name| fs::read_to_string(info.path().join(name));
        let errors = read("error_stats").unwrap_or_default();
        let errors = errors.lines().filter_map(|line| {
            let (what, count) = line.split_once(' ')?;
            Some((what.to_owned(), count.trim().parse().ok()?))
        });
        let is_missing = read("missing").is_ok_and(|missing| missing.trim() != "0");
        let name = format!("device {}", info.file_name().to_string_lossy());
        disks.insert(name, Disk { is_missing, errors: errors.collect() });
    }
    Some(disks).filter(|disks| !disks.is_empty())
}

/// Whether a device of the kernel's is what was mounted: `/dev/sda1`, or `/dev/mapper/NAME`.
fn is_called(device: &Path, source: &str) -> bool {
    let name = device.file_name().unwrap_or_default().to_string_lossy();
    let mapped = || fs::read_to_string(device.join("dm/name"));
    source.strip_prefix("/dev/mapper/").map_or_else(
        || source.strip_prefix("/dev/") == Some(&name),
        |wanted| mapped().is_ok_and(|mapped| mapped.trim() == wanted),
    )
}

/// The output of `btrfs device stats`; a disk that is missing has no path:
///
/// ```text
/// [/dev/sda].write_io_errs    0
/// [devid:2].corruption_errs   0
/// ```
pub fn counted(text: &str) -> Disks {
    let mut disks = Disks::new();
    for line in text.lines() {
        let Some((disk, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("].")) else {
            continue;
        };
        let Some((what, count)) = rest.split_once(char::is_whitespace) else { continue };
        let known = disks.entry(disk.to_owned()).or_default();
        known.is_missing = disk.starts_with("devid:");
        known.errors.extend(count.trim().parse().ok().map(|count| (what.replace("_io_", "_"), count)));
    }
    disks
}

pub fn judged(path: &Path, disks: &Disks) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, disk) in disks {
        if disk.is_missing {
            let what = format!("{name} of {} is missing: see btrfs filesystem show", path.display());
            findings.push(Finding::new(Severity::Worn, what));
        }
        let errors = disk.errors.iter().filter(|(_, count)| **count > 0);
        let errors: Vec<String> = errors.map(|(what, count)| format!("{count} {what}")).collect();
        if !errors.is_empty() {
            let what = format!(
                "{name} of {} had {}: btrfs scrub start {} finds what is lost, and `btrfs device stats -z` forgets the count",
                path.display(),
                errors.join(", "),
                path.display()
            );
            findings.push(Finding::new(Severity::Worn, what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_missing_disks_are_told() {
        let said = "[/dev/loop0].write_io_errs    0\n[/dev/loop0].read_io_errs     3\n\
                    [/dev/loop0].flush_io_errs    0\n[/dev/loop0].corruption_errs  12\n\
                    [/dev/loop1].write_io_errs    0\n[devid:2].write_io_errs    0\n";
        let found = judged(Path::new("/srv/pool"), &counted(said));
        let words: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            words[0].starts_with("/dev/loop0 of /srv/pool had 12 corruption_errs, 3 read_errs: "),
            "{words:?}"
        );
        assert!(words[1].starts_with("devid:2 of /srv/pool is missing"), "{words:?}");
    }
}
