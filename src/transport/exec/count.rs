//! What a workspace holds, counted.

use crate::fileset::progress::Totals;
use crate::host::process::Limits;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::Instant;

/// Counts the files of a workspace, itself included as rsync counts a source, and the sizes of the regular ones. `None`:
/// it was to stop before it was done.
pub fn count(workspace: &Path, limits: Limits<'_>) -> io::Result<Option<Totals>> {
    let mut totals = Totals { files: 1, bytes: 0 };
    let mut directories = vec![workspace.to_owned()];
    while let Some(directory) = directories.pop() {
        if limits.stop.wished() || limits.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(None);
        }
        for entry in fs::read_dir(&directory)? {
            let entry: DirEntry = entry?;
            let kind = entry.file_type()?;
            totals.files += 1;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                totals.bytes = totals.bytes.saturating_add(entry.metadata()?.len());
            }
        }
    }
    Ok(Some(totals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::signals::Stop;
    use std::os::unix::fs::symlink;

    #[test]
    fn everything_counts_once_and_links_lead_nowhere() {
        let tree = tempfile::tempdir().expect("a directory");
        let at = |path: &str| tree.path().join(path);
        fs::create_dir_all(at("a/b")).expect("directories");
        fs::write(at("a/one"), "one").expect("a file");
        fs::write(at("a/b/four"), "four").expect("a file");
        symlink("/", at("root")).expect("a link");
        let stop = Stop::new().expect("a socket pair");
        let limits = Limits { stop: &stop, deadline: None };
        // The tree, a, b, two files and the link.
        assert_eq!(count(tree.path(), limits).expect("counted"), Some(Totals { files: 6, bytes: 7 }));
        stop.wish();
        assert_eq!(count(tree.path(), limits).expect("counted"), None);
        assert!(count(&at("none"), Limits { stop: &Stop::new().expect("one"), deadline: None }).is_err());
    }
}
