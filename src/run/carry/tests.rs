//! What the tests of this room share.

use crate::fileset::name::Name;
use crate::host::paths::Paths;
use std::fs;

/// A world in which a transfer unit has its directory.
pub struct Place {
    _root: tempfile::TempDir,
    pub paths: Paths,
    pub name: Name,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(Some(root.path().into()));
        let name: Name = "web1".parse().expect("a name");
        fs::create_dir_all(paths.transfer(&name)).expect("a directory");
        Self { _root: root, paths, name }
    }
}
