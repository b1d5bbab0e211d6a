//! Small files that are replaced whole: a reader sees the old one or the new one, also after a power cut.
//!
//! Records name paths and tell errors, so these files are for the owner and the group of the state directory (`planb`,
//! who may `planb list`) and for nobody else.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// What the group may read and nobody else.
pub const MODE: u32 = 0o640;

/// Replaces the file at `path`. One writer at a time, by the caller's word (a fileset's lock, a run's own name).
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    directory(dir)?;
    let mut new = std::ffi::OsString::from(".");
    new.push(name);
    new.push(".new");
    let new = dir.join(new);
    // What a killed writer left. Making the file afresh, we write into nothing that somebody else put there.
    let _ = fs::remove_file(&new);
    let written = create(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&new, path)).inspect_err(|_| drop(fs::remove_file(&new)))?;
    File::open(dir)?.sync_all()
}

/// Makes a file that was not there, for the owner and the group of its directory.
pub fn create(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).create_new(true).mode(MODE).open(path)?;
    if let Some(dir) = path.parent() {
        // As root, the group is not ours by itself. Elsewhere it is, or we may not choose it: not worth failing for.
        let _ = fchown(&file, None, Some(fs::metadata(dir)?.gid()));
    }
    Ok(file)
}

/// Makes a directory with all above it, where it is missing.
pub fn directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o750).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Some(parent) = path.parent() {
        let _ = fchown(File::open(path)?, None, Some(fs::metadata(parent)?.gid()));
    }
    Ok(())
}
