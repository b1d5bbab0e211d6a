//! What the workspace's file system can keep of a file's metadata.

use super::settings::Metadata;
use crate::transport::{Event, Failure};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// An attribute that is set and removed again, of the namespace that rsync's `--fake-super` writes to.
const PROBE: &str = "user.planb.probe";

/// What will be kept. Asked of the file system itself rather than of a list of file systems, and said aloud when it is
/// less than what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub metadata: Metadata,
    /// Times come back as they were set. Where they do not, comparing them to the nanosecond would find every file
    /// changed in every run.
    pub nanoseconds: bool,
}

pub fn kept(wanted: Metadata, workspace: &Path, tell: &mut dyn FnMut(Event)) -> Result<Kept, Failure> {
    let nanoseconds = keeps_nanoseconds(workspace)
        .map_err(|e| Failure::because(format!("failed to set the time of {}", workspace.display()), &e))?;
    if !nanoseconds {
        tell(Event::Degraded(format!(
            "the file system of {} keeps no exact times: of a file that is written twice in one second and does not \
             change its size, the first state may be kept",
            workspace.display()
        )));
    }
    let metadata = match wanted {
        Metadata::Full if !keeps_attributes(workspace)? => {
            tell(Event::Degraded(format!(
                "owners, ACLs, extended attributes and devices are not kept: the file system of {} has no extended \
                 attributes for users (NFS, older tmpfs): move the storage, or set metadata = \"basic\"",
                workspace.display()
            )));
            Metadata::Basic
        }
        wanted => wanted,
    };
    Ok(Kept { metadata, nanoseconds })
}

/// The same as far as looking tells, for a workspace that may not be touched: one that has no exact time anywhere near
/// its top is taken for one that keeps none.
pub fn found(wanted: Metadata, workspace: &Path) -> Kept {
    let metadata = match xattr::get(workspace, PROBE) {
        Err(error) if error.kind() == ErrorKind::Unsupported => Metadata::Basic,
        _ => wanted,
    };
    let exact = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.mtime_nsec() != 0);
    let mut near = workspace.read_dir().into_iter().flatten().filter_map(Result::ok);
    let nanoseconds = exact(workspace) || near.any(|entry| exact(&entry.path()));
    Kept { metadata, nanoseconds }
}

fn keeps_attributes(workspace: &Path) -> Result<bool, Failure> {
    match xattr::set(workspace, PROBE, b"1").and_then(|()| xattr::remove(workspace, PROBE)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(false),
        Err(error) => {
            Err(Failure::because(format!("failed to set an attribute of {}", workspace.display()), &error))
        }
    }
}

/// Tries it on the workspace itself, whose time is the source's to set at the end.
fn keeps_nanoseconds(workspace: &Path) -> io::Result<bool> {
    let dir = File::open(workspace)?;
    let before = dir.metadata()?.modified()?;
    dir.set_modified(std::time::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789))?;
    let nanoseconds = dir.metadata()?.mtime_nsec();
    dir.set_modified(before)?;
    Ok(nanoseconds == 123_456_789)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_attributes_says_so() {
        // Only root may write there at all, and gets as far as hearing that there are no attributes.
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        assert_eq!(keeps_attributes(Path::new("/proc")), Ok(false));
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let before = dir.path().metadata().and_then(|m| m.modified()).expect("a time");
        let all = Kept { metadata: Metadata::Full, nanoseconds: true };
        assert_eq!(kept(Metadata::Full, dir.path(), &mut |event| panic!("{event:?}")), Ok(all));
        assert_eq!(dir.path().metadata().and_then(|m| m.modified()).expect("a time"), before);
        assert_eq!(xattr::list(dir.path()).expect("readable").count(), 0);
    }
}
