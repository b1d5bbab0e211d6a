//! Files that hold keys, as they are or encrypted: read with care, made whole or not at all, never written over.

use super::error::Error;
use crate::fileset::key::{PENDING, PREVIOUS};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where the keys of one fileset are. While it is rotated there are two, and which of them the dataset has is only
/// known by trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub current: PathBuf,
    /// Made by a rotation, perhaps already what the dataset has.
    pub pending: PathBuf,
    /// What the dataset had before; kept until the one after it has opened it.
    pub previous: PathBuf,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Current,
    Pending,
    Previous,
}

impl Slot {
    pub const ALL: [Self; 3] = [Self::Current, Self::Pending, Self::Previous];
}

impl Files {
    /// Those of a key that is a file.
    pub fn beside(path: &Path) -> Self {
        let with = |end: &str| {
            let mut path = path.as_os_str().to_owned();
            path.push(end);
            PathBuf::from(path)
        };
        Self { current: path.to_owned(), pending: with(PENDING), previous: with(PREVIOUS) }
    }

    pub fn path(&self, slot: Slot) -> &Path {
        match slot {
            Slot::Current => &self.current,
            Slot::Pending => &self.pending,
            Slot::Previous => &self.previous,
        }
    }

    /// Which there are.
    pub fn present(&self) -> Result<Vec<Slot>, Error> {
        let mut present = Vec::new();
        for slot in Slot::ALL {
            let path = self.path(slot);
            match fs::symlink_metadata(path) {
                Ok(_) => present.push(slot),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(Error::io("look for", path)(error)),
            }
        }
        Ok(present)
    }

    /// Makes the pending key the current one, and the current one the previous. At every moment there is a current one,
    /// and both are there under some name.
    pub fn promote(&self) -> Result<(), Error> {
        self.set_aside()?;
        fs::rename(&self.pending, &self.current).map_err(Error::io("rename", &self.pending))?;
        sync_directory(&self.current)
    }

    /// Makes these bytes the current key's, and the current one the previous. The same holds.
    pub fn replace(&self, bytes: &[u8]) -> Result<(), Error> {
        let new = write_beside(&self.current, bytes)?;
        self.set_aside()?;
        fs::rename(&new, &self.current).map_err(Error::io("rename", &new))?;
        sync_directory(&self.current)
    }

    /// Gives the current key the previous one's name as well.
    fn set_aside(&self) -> Result<(), Error> {
        let inode = |path: &Path| match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(Error::io("look for", path)(error)),
        };
        let (current, previous) = (inode(&self.current)?, inode(&self.previous)?);
        // A current one that was lost leaves the previous one where it is.
        if current.is_none() || current == previous {
            return Ok(());
        }
        remove(&self.previous)?;
        fs::hard_link(&self.current, &self.previous).map_err(Error::io("keep aside", &self.current))?;
        sync_directory(&self.current)
    }
}

/// Opens a file that is a secret, or says why it is not to be read. `None` where there is none.
///
/// It has to be a regular file of root's or, in a world of one's own, of `user`'s, and no one else may read it, let
/// alone put another in its place.
pub fn open_private(path: &Path, user: Option<Uid>) -> Result<Option<File>, Error> {
    let Some(file) = open(path)? else { return Ok(None) };
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    private(path, &metadata, user, 0o077, "chmod go=")?;
    if let Some(directory) = path.parent() {
        let metadata = fs::metadata(directory).map_err(Error::io("look at", directory))?;
        private(directory, &metadata, user, 0o022, "chmod go-w")?;
    }
    Ok(Some(file))
}

/// Opens a regular file for reading. What is no such file does not make us wait, nor do anything else.
pub fn open(path: &Path) -> Result<Option<File>, Error> {
    let look = match fs::metadata(path) {
        Err(error) if is_absent(&error) && fs::symlink_metadata(path).is_err() => return Ok(None),
        other => other.map_err(Error::io("look at", path))?,
    };
    let refuse = || Error::Refused { path: path.to_owned(), why: "it is no regular file".into() };
    if !look.is_file() {
        return Err(refuse());
    }
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(Error::io("open", path))?;
    if file.metadata().map_err(Error::io("look at", path))?.is_file() {
        Ok(Some(file))
    } else {
        Err(refuse())
    }
}

fn private(
    path: &Path,
    metadata: &Metadata,
    user: Option<Uid>,
    closed: u32,
    remedy: &str,
) -> Result<(), Error> {
    let refuse = |why: String| Error::Refused { path: path.to_owned(), why };
    let owner = Uid::from_raw(metadata.uid());
    if !owner.is_root() && user != Some(owner) {
        return Err(refuse(format!("it belongs to user {owner}: chown root {}", path.display())));
    }
    let mode = metadata.mode() & 0o7777;
    // A directory such as /tmp, in which everybody may make files and only remove their own, is not for keys either.
    if mode & closed != 0 {
        return Err(refuse(format!(
            "others may use it as well (mode {mode:04o}): {remedy} {}",
            path.display()
        )));
    }
    Ok(())
}

/// Makes a file of mode 0600 that was not there, on the disk when this returns. `false` where there is one.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    let new = write_beside(path, bytes)?;
    // Unlike a rename, a link does not replace what somebody else made meanwhile.
    let linked = match fs::hard_link(&new, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io("make", path)(error)),
    };
    fs::remove_file(&new).map_err(Error::io("remove", &new))?;
    sync_directory(path)?;
    linked
}

/// Writes a new file beside `path`, under a name that nobody looks for.
fn write_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, Error> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::io("write", path)(io::Error::from(io::ErrorKind::InvalidInput)));
    };
    if !directory.is_dir() {
        return Err(Error::NoDirectory { path: directory.to_owned() });
    }
    let new = directory.join(format!(".{}.new", name.to_string_lossy()));
    // What a killed writer left.
    remove(&new)?;
    let written = File::options().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(new),
        Err(error) => {
            let _ = fs::remove_file(&new);
            Err(Error::io("write", path)(error))
        }
    }
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(Error::io("sync", directory))
}

pub fn is_absent(error: &io::Error) -> bool {
    // ENOTDIR: what should be a directory on the way is none, so nothing is below it.
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENOTDIR as i32)
}
