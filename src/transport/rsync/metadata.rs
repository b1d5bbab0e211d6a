//! Whether the workspace can keep what `metadata = "full"` promises.

use super::settings::Metadata;
use crate::transport::{Event, Failure};
use std::io::ErrorKind;
use std::path::Path;

/// An attribute that is set and removed again, of the namespace that rsync's `--fake-super` writes to.
const PROBE: &str = "user.planb.probe";

/// What can be kept. Asked of the file system itself rather than of a list of file systems, and said aloud when it is
/// less than what was asked for.
pub fn kept(wanted: Metadata, workspace: &Path, tell: &mut dyn FnMut(Event)) -> Result<Metadata, Failure> {
    if wanted == Metadata::Basic {
        return Ok(wanted);
    }
    match xattr::set(workspace, PROBE, b"1").and_then(|()| xattr::remove(workspace, PROBE)) {
        Ok(()) => Ok(Metadata::Full),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            tell(Event::Degraded(format!(
                "owners, ACLs, extended attributes and devices are not kept: the file system of {} has no extended \
                 attributes for users (NFS, older tmpfs): move the storage, or set metadata = \"basic\"",
                workspace.display()
            )));
            Ok(Metadata::Basic)
        }
        Err(error) => {
            Err(Failure::because(format!("failed to set an attribute of {}", workspace.display()), &error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_attributes_is_said_aloud() {
        // Only root may write there at all, and gets as far as hearing that there are no attributes.
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let mut told = Vec::new();
        let kept = kept(Metadata::Full, Path::new("/proc"), &mut |event| told.push(event));
        assert_eq!(kept, Ok(Metadata::Basic));
        assert!(matches!(&told[..], [Event::Degraded(text)] if text.contains("/proc")), "{told:?}");
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(kept(Metadata::Full, dir.path(), &mut |_| ()), Ok(Metadata::Full));
        assert_eq!(xattr::list(dir.path()).expect("readable").count(), 0);
    }
}
