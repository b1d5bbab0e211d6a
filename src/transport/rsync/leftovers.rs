//! A tree that an interrupted run left, made safe to go on with.

use crate::fileset::workspace::{Workspace, Writes};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Takes out of a linked workspace whatever is still linked from elsewhere, which is to say from history.
///
/// rsync never touches a file again that it linked from the reference *in the same run*. In a later run it finds it
/// like any file of its own, and where only mode, time or attributes differ it changes them in place: in every snapshot
/// that has the file (rsync(1), --link-dest, "existing files may get their attributes tweaked"). Taken out, such a file
/// is linked from the reference again, for little; what has one name came over the network and stays.
///
/// The workspace is the source's content and may hold any link: none is followed.
pub fn cut_loose(workspace: &Workspace) -> io::Result<u64> {
    match workspace.writes() {
        Writes::InPlace => Ok(0),
        Writes::Linked { .. } => walk(workspace.path()),
    }
}

fn walk(dir: &Path) -> io::Result<u64> {
    let mut cut = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            cut += walk(&entry.path())?;
        } else if metadata.nlink() > 1 {
            fs::remove_file(entry.path())?;
            cut += 1;
        }
    }
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_goes_and_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        for name in ["history", "tree", "tree/sub", "outside"] {
            fs::create_dir(at(name)).expect("created");
        }
        for name in ["history/f", "tree/sub/own", "outside/f"] {
            fs::write(at(name), name).expect("written");
        }
        fs::hard_link(at("history/f"), at("tree/sub/linked")).expect("linked");
        fs::hard_link(at("outside/f"), at("outside/g")).expect("linked");
        std::os::unix::fs::symlink(at("outside"), at("tree/away")).expect("linked");

        let tree = |writes| Workspace::new(at("tree"), writes);
        assert_eq!(cut_loose(&tree(Writes::InPlace)).expect("no trouble"), 0);
        assert_eq!(cut_loose(&tree(Writes::Linked { reference: None })).expect("no trouble"), 1);
        assert!(!at("tree/sub/linked").exists() && at("tree/sub/own").exists());
        assert!(at("outside/g").exists() && at("tree/away").is_symlink());
        assert_eq!(fs::read_to_string(at("history/f")).expect("still there"), "history/f");
    }
}
