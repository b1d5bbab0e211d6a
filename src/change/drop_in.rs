//! Drop-ins as files: where a fileset's are, and moving them without ever replacing one.

use super::step::Error;
use crate::fileset::name::Name;
use crate::host::paths::Paths;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

/// Where a link leads that masks a fileset.
const NOTHING: &str = "/dev/null";

/// The administrator's own file of a fileset: the only one that is ever changed.
pub fn own(paths: &Paths, fileset: &Name) -> PathBuf {
    let [own, ..] = paths.drop_ins();
    own.join(format!("{fileset}.toml"))
}

/// All files of that fileset, the one that counts first.
pub fn all(paths: &Paths, fileset: &Name) -> Vec<PathBuf> {
    let files = paths.drop_ins().map(|directory| directory.join(format!("{fileset}.toml")));
    files.into_iter().filter(|file| is_there(file)).collect()
}

pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// What hides files of that name in other directories. It is no drop-in, and comes where one was moved away.
fn is_mask(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target == Path::new(NOTHING))
}

/// Gives a file another name; what has that name already stays.
pub fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| Error::Io { what: "rename", path: from.to_owned(), source };
    match (is_there(from) && !is_mask(from), is_there(to)) {
        (true, true) => return Err(Error::InTheWay { path: to.to_owned() }),
        (false, true) => return Ok(()),
        _ => {}
    }
    renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE).map_err(|e| failed(e.into()))?;
    sync_directory(to)
}

/// Hides what other directories have under that name.
pub fn mask(file: &Path) -> Result<(), Error> {
    match symlink(NOTHING, file) {
        Ok(()) => sync_directory(file),
        Err(_) if is_mask(file) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::InTheWay { path: file.to_owned() })
        }
        Err(source) => Err(Error::Io { what: "hide what is behind", path: file.to_owned(), source }),
    }
}

/// Makes a file with that text, whole or not at all.
pub fn write(file: &Path, text: &str, mode: u32) -> Result<(), Error> {
    if fs::read(file).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let failed = |source| Error::Io { what: "write", path: file.to_owned(), source };
    let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    };
    fs::create_dir_all(directory).map_err(failed)?;
    // Hidden files are no drop-ins.
    let draft = directory.join(format!(".{}.new", name.to_string_lossy()));
    let _ = fs::remove_file(&draft);
    let written =
        File::options().write(true).create_new(true).mode(mode).open(&draft).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(failed)?;
    match renameat2(AT_FDCWD, &draft, AT_FDCWD, file, RenameFlags::RENAME_NOREPLACE) {
        Ok(()) => sync_directory(file),
        Err(errno) => {
            let _ = fs::remove_file(&draft);
            match errno {
                Errno::EEXIST => Err(Error::InTheWay { path: file.to_owned() }),
                errno => Err(failed(errno.into())),
            }
        }
    }
}

fn sync_directory(file: &Path) -> Result<(), Error> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| Error::Io { what: "sync", path: directory.to_owned(), source })
}
