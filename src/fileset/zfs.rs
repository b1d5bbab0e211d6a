//! Names of ZFS file systems.

use super::invalid::Invalid;
use super::word::word;

/// The longest name of a file system, in bytes, that leaves room for a dataset and a snapshot: zfs(8) has 255 for all.
const LONGEST: usize = 150;

word!(
    /// A file system of a pool, as `tank/BACKUP`: cannot be a snapshot, a bookmark, or an option.
    Filesystem,
    check
);

fn check(text: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    for component in text.split('/') {
        if !component.starts_with(|c: char| c.is_ascii_alphanumeric()) || !component.chars().all(allowed) {
            return Err(Invalid::new(format!(
                "{text:?} is not the name of a ZFS file system: write it as \"tank/BACKUP\", with letters, digits and '_', '-', '.', ':'"
            )));
        }
    }
    if text.len() > LONGEST {
        return Err(Invalid::new(format!(
            "the name of a ZFS file system has at most {LONGEST} characters here"
        )));
    }
    Ok(())
}
