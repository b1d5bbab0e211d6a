//! What is mounted where.

use nix::sys::stat::makedev;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A file system where it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number of it.
    pub id: u64,
    pub point: PathBuf,
    /// `zfs`, `ext4`, ...
    pub kind: String,
    /// What is mounted: a device, or whatever stands for one.
    pub source: String,
    /// As `stat` tells it of the files in it.
    pub device: u64,
    /// All of the file system, not only a directory of it.
    pub whole: bool,
    /// Nobody can write to the file system, wherever it is mounted.
    pub read_only: bool,
}

/// All that is mounted, as this process sees it. Of two at one point the later covers the earlier.
pub fn all() -> io::Result<Vec<Mount>> {
    Ok(parse(&fs::read("/proc/self/mountinfo")?))
}

/// The mount that an open file or directory was reached by, as far as this process can see it.
pub fn holding(file: impl AsFd) -> io::Result<Option<Mount>> {
    // proc_pid_fdinfo(5): `mnt_id: 29`.
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_fd().as_raw_fd()))?;
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    Ok(all()?.into_iter().find(|mount| Some(mount.id) == id))
}

/// Whether anything is mounted there.
pub fn is_mount_point(mounts: &[Mount], path: &Path) -> bool {
    mounts.iter().any(|mount| mount.point == path)
}

/// The lines of `/proc/self/mountinfo`, `proc_pid_mountinfo(5)`:
///
/// ```text
/// 214 23 0:40 / /tank/BACKUP/web1 rw,nosuid,noatime shared:115 - zfs tank/BACKUP/web1 rw,xattr,posixacl
/// ```
fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let (major, minor) = std::str::from_utf8(fields.nth(1)?).ok()?.split_once(':')?;
    let device = makedev(major.parse().ok()?, minor.parse().ok()?);
    let whole = fields.next()? == b"/";
    let point = PathBuf::from(OsString::from_vec(unescaped(fields.next()?)));
    // As many optional fields as there are, and then a dash.
    let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
    let text = |field: &[u8]| String::from_utf8_lossy(&unescaped(field)).into_owned();
    let (kind, source) = (text(fields.next()?), text(fields.next()?));
    // Of the file system; those in front are of this mount alone.
    let read_only = fields.next()?.split(|byte| *byte == b',').any(|option| option == b"ro");
    Some(Mount { id, point, kind, source, device, whole, read_only })
}

/// Spaces and their like are written as `\040`.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = rest.get(1..4).filter(|_| first == b'\\');
        let code = octal.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &rest[4..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mountinfo() {
        let text = b"23 1 254:0 / / rw,noatime shared:1 - ext4 /dev/vda rw\n\
            214 23 0:40 / /tank/a\\040b rw,nosuid shared:115 master:2 - zfs tank/a\\040b rw,xattr\n\
            230 23 0:40 /data /x rw - zfs tank/a\\040b ro,xattr\nnonsense\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 3);
        let zfs = Mount {
            id: 214,
            point: "/tank/a b".into(),
            kind: "zfs".into(),
            source: "tank/a b".into(),
            device: makedev(0, 40),
            whole: true,
            read_only: false,
        };
        assert_eq!(mounts[1], zfs);
        assert!(mounts[2].read_only && !mounts[2].whole && is_mount_point(&mounts, Path::new("/x")));
        assert_eq!(unescaped(b"a\\134b\\"), b"a\\b\\");
    }

    #[test]
    fn a_root_is_mounted_everywhere() {
        assert!(is_mount_point(&all().expect("/proc"), Path::new("/")));
        let proc = fs::File::open("/proc/self/status").expect("/proc");
        assert!(holding(&proc).expect("/proc").is_some_and(|mount| mount.kind == "proc"));
    }
}
