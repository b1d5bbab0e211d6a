//! One dataset's directory: whose it is, what is in it, and the two renames that make and unmake snapshots.

use super::descent::{self, DIRECTORY, Identity, Task, is_directory};
use super::{DATA, Destroyed, Emptied, Error, Listed, SnapshotName};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::Automatic;
use crate::host::signals::Stop;
use nix::NixPath;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, fchown, fsync};
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Holds the name of the fileset that the dataset belongs to.
pub const MARKER: &str = ".planb";
/// The marker before it is whole.
const MARKER_DRAFT: &str = ".planb.new";
const TRASH: &str = ".trash";
/// A snapshot before it has its name.
pub const NEW: &str = ".new";

/// Nobody but who runs the backups: each holds a whole host's secrets.
pub const PRIVATE: Mode = Mode::S_IRWXU;

#[derive(Debug)]
pub struct Dataset {
    directory: OwnedFd,
    path: PathBuf,
    identity: Identity,
}

impl Dataset {
    /// The dataset, if it is there. Whose it is does not matter to who only reads.
    pub fn find(root: &OwnedFd, root_path: &Path, name: &DatasetName) -> Result<Option<Self>, Error> {
        let path = root_path.join(name);
        let directory = match openat(root, name.as_str(), DIRECTORY, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ENOTDIR | Errno::ELOOP) if path.is_symlink() => return Err(Error::Link { path }),
            Err(Errno::ENOTDIR) => return Err(Error::NotADirectory { path }),
            Err(errno) => return Err(Error::io("open the dataset", path)(errno)),
        };
        let stat = fstat(&directory).map_err(Error::io("look at", &path))?;
        Ok(Some(Self { directory, path, identity: Identity::of(&stat) }))
    }

    /// The dataset of that fileset, created where it is missing.
    pub fn create(
        root: &OwnedFd,
        root_path: &Path,
        name: &DatasetName,
        fileset: &Name,
    ) -> Result<Self, Error> {
        let dataset = if let Some(dataset) = Self::find(root, root_path, name)? {
            dataset
        } else {
            let path = root_path.join(name);
            mkdirat(root, name.as_str(), PRIVATE).map_err(Error::io("create the dataset", &path))?;
            fsync(root).map_err(Error::io("sync", root_path))?;
            Self::find(root, root_path, name)?.ok_or(Error::Replaced { path })?
        };
        if dataset.owner()?.is_none() && dataset.is_untouched()? {
            dataset.mark(fileset)?;
        }
        dataset.require_owner(fileset)?;
        // Created now and not when it is needed, because then the disk may be full.
        dataset.make_directory(TRASH)?;
        Ok(dataset)
    }

    /// Refuses a dataset that is another fileset's, or no dataset at all.
    pub fn require_owner(&self, fileset: &Name) -> Result<(), Error> {
        let (path, fileset) = (self.path.clone(), fileset.clone());
        match self.owner()? {
            Some(owner) if owner == fileset.as_str() => Ok(()),
            Some(owner) => Err(Error::BelongsToAnother { path, owner, fileset }),
            None => Err(Error::NotADataset { path, fileset }),
        }
    }

    /// Closes it to all but us, and tells its readers which snapshots there are: their names, and nothing that is in them.
    pub fn shut(&self, readers: Option<Gid>) -> Result<(), Error> {
        let listed = readers.map_or(Mode::empty(), |_| Mode::S_IRGRP);
        readers
            .map_or(Ok(()), |group| fchown(self, None, Some(group)))
            .and_then(|()| fchmod(self, PRIVATE | listed))
            .map_err(Error::io("shut", &self.path))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn identity(&self) -> Identity {
        self.identity
    }

    pub fn trash_path(&self) -> PathBuf {
        self.path.join(TRASH)
    }

    /// Our snapshots, oldest first. Links, files, names that are not ours and directories without files are not snapshots.
    pub fn snapshots(&self) -> Result<Vec<SnapshotName>, Error> {
        let mut names = self.named()?;
        names.retain(|name| self.has_data(name));
        names.sort_by_cached_key(|name| (name.time(), name.to_string()));
        Ok(names)
    }

    /// Directories that have a snapshot's name and nothing that would make them one.
    pub fn hollow(&self) -> Result<Vec<SnapshotName>, Error> {
        let mut names = self.named()?;
        names.retain(|name| !self.has_data(name));
        Ok(names)
    }

    fn named(&self) -> Result<Vec<SnapshotName>, Error> {
        let mut names = Vec::new();
        self.each_entry(|entry, kind| {
            let name = entry.to_str().ok().and_then(SnapshotName::parse);
            names.extend(name.filter(|_| kind == Some(Type::Directory) || self.is_directory(entry)));
            true
        })?;
        Ok(names)
    }

    fn has_data(&self, name: &SnapshotName) -> bool {
        match fstatat(self, format!("{name}/{DATA}").as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => is_directory(&stat),
            // Whoever may not look inside may still know that it is there.
            Err(errno) => errno == Errno::EACCES,
        }
    }

    /// The same, as a storage lists them.
    pub fn listed(&self) -> Result<Vec<Listed>, Error> {
        let listed = |name: SnapshotName| Listed {
            path: self.path.join(name.to_string()).join(DATA),
            name,
            used: None,
            referenced: None,
        };
        Ok(self.snapshots()?.into_iter().map(listed).collect())
    }

    /// Which of these snapshots are there to be destroyed; the others are skipped. The newest is refused.
    pub fn doom(&self, snapshots: &[Automatic]) -> Result<(BTreeSet<Automatic>, Destroyed), Error> {
        let there: BTreeSet<Automatic> = self
            .snapshots()?
            .into_iter()
            .filter_map(|name| match name {
                SnapshotName::Automatic(name) => Some(name),
                SnapshotName::Kept(_) => None,
            })
            .collect();
        let doomed: BTreeSet<Automatic> = snapshots.iter().copied().collect();
        // Every plan keeps it. Whatever went wrong that one does not: here it ends.
        if let Some(newest) = there.last().filter(|newest| doomed.contains(newest)) {
            return Err(Error::Newest { path: self.path.join(newest.to_string()) });
        }
        let gone: Vec<Automatic> = doomed.difference(&there).copied().collect();
        Ok((doomed.intersection(&there).copied().collect(), Destroyed::nothing_of(&gone)))
    }

    /// Makes a directory of ours, unless it is there, and opens it.
    pub fn make_directory(&self, name: &str) -> Result<OwnedFd, Error> {
        make_directory(self.as_fd(), name).map_err(Error::io("create", self.path.join(name)))
    }

    /// Gives `from` the name of a snapshot, and sees to it that the name survives a power cut.
    ///
    /// Whoever holds the name already loses nothing: a directory cannot be renamed over one that holds something.
    pub fn publish(&self, from: &str, name: &SnapshotName) -> Result<(), Error> {
        let to = name.to_string();
        let path = self.path.join(&to);
        match renameat(self, from, self, to.as_str()) {
            Ok(()) => fsync(self).map_err(Error::io("sync", &self.path)),
            Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => Err(Error::Exists { path }),
            Err(errno) => Err(Error::io("rename the new tree to", path)(errno)),
        }
    }

    /// Whether anything has that name.
    pub fn has(&self, name: &str) -> bool {
        fstatat(self, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    /// Moves what has that name into the trash.
    pub fn discard(&self, name: &str) -> Result<(), Errno> {
        let trash = make_directory(self.as_fd(), TRASH)?;
        let mut aside = name.trim_start_matches('.').to_owned();
        let mut again = 0_u32;
        loop {
            match renameat(self, name, &trash, aside.as_str()) {
                // One of that name was destroyed before, and the trash has not been emptied since.
                Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR | Errno::EISDIR) => {
                    again += 1;
                    aside = format!("{}.{again}", name.trim_start_matches('.'));
                }
                done => return done,
            }
        }
    }

    /// The trash, if there is one.
    pub fn trash(&self) -> Result<Option<OwnedFd>, Error> {
        match openat(self, TRASH, DIRECTORY, Mode::empty()) {
            Ok(trash) => Ok(Some(trash)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(Error::io("open", self.trash_path())(errno)),
        }
    }

    pub fn has_trash(&self) -> Result<bool, Error> {
        let Some(trash) = self.trash()? else { return Ok(false) };
        let mut entries = Dir::from_fd(trash).map_err(Error::io("list", self.trash_path()))?;
        let dots = 2;
        Ok(entries.iter().nth(dots).is_some())
    }

    /// What is in the trash, as names of the dataset.
    pub fn in_trash(&self) -> Result<Vec<String>, Error> {
        let Some(trash) = self.trash()? else { return Ok(Vec::new()) };
        let failed = || Error::io::<Errno>("list", self.trash_path());
        let mut dir = Dir::from_fd(trash).map_err(failed())?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            // Each has a name that we gave it.
            if let Ok(name) = entry.map_err(failed())?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(format!("{TRASH}/{name}"));
            }
        }
        Ok(names)
    }

    /// Unlinks what is in the trash.
    pub fn empty_trash(&self, stop: &Stop) -> Result<Emptied, Error> {
        let Some(trash) = self.trash()? else { return Ok(Emptied::default()) };
        // Nothing is unlinked before the rename that took it out of the list is on the disk.
        self.sync()?;
        let path = self.trash_path();
        let walked = descent::walk(trash, Task::Empty, stop).map_err(Error::io("empty", &path))?;
        match walked.first_failure {
            Some((first, source)) => {
                Err(Error::NotRemoved { path, failures: walked.failures, first, source })
            }
            None => Ok(Emptied { removed: walked.removed, stopped: walked.stopped }),
        }
    }

    /// What was renamed stays renamed.
    pub fn sync(&self) -> Result<(), Error> {
        if let Some(trash) = self.trash()? {
            fsync(trash).map_err(Error::io("sync", self.trash_path()))?;
        }
        fsync(self).map_err(Error::io("sync", &self.path))
    }

    /// What the marker says; `None` where there is none, or one that never got its content.
    pub fn owner(&self) -> Result<Option<String>, Error> {
        let path = self.path.join(MARKER);
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let marker = match openat(self, MARKER, flags, Mode::empty()) {
            Ok(marker) => File::from(marker),
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(Error::io("open", path)(errno)),
        };
        let mut text = Vec::new();
        marker.take(1024).read_to_end(&mut text).map_err(Error::io("read", path))?;
        let owner = String::from_utf8_lossy(&text).trim().to_owned();
        Ok(Some(owner).filter(|owner| !owner.is_empty()))
    }

    /// Whether there is nothing yet but what we put there ourselves before the marker.
    fn is_untouched(&self) -> Result<bool, Error> {
        let mut untouched = true;
        self.each_entry(|name, _| {
            let ours =
                [MARKER, MARKER_DRAFT, "lost+found"].iter().any(|our| our.as_bytes() == name.to_bytes());
            untouched &= ours;
            untouched
        })?;
        Ok(untouched)
    }

    pub fn mark(&self, fileset: &Name) -> Result<(), Error> {
        let path = self.path.join(MARKER_DRAFT);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let draft = openat(self, MARKER_DRAFT, flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(Error::io("create", &path))?;
        let mut draft = File::from(draft);
        writeln!(draft, "{fileset}").and_then(|()| draft.sync_all()).map_err(Error::io("write", &path))?;
        renameat(self, MARKER_DRAFT, self, MARKER).map_err(Error::io("rename", &path))?;
        fsync(self).map_err(Error::io("sync", &self.path))
    }

    /// Hands every name to `see`, with its kind where the listing tells, until that returns false.
    fn each_entry(&self, mut see: impl FnMut(&CStr, Option<Type>) -> bool) -> Result<(), Error> {
        let failed = || Error::io::<Errno>("list", &self.path);
        let same = self.directory.try_clone().map_err(Error::io("list", &self.path))?;
        // Not opened anew as ".": that takes the right to go through it, which who may list it need not have. Both have one
        // place in the listing, which is at its beginning again when the loop ends.
        let mut dir = Dir::from_fd(same).map_err(failed())?;
        for entry in dir.iter() {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            if name != c"." && name != c".." && !see(name, entry.file_type()) {
                break;
            }
        }
        Ok(())
    }

    fn is_directory<P: NixPath + ?Sized>(&self, name: &P) -> bool {
        fstatat(self, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|stat| is_directory(&stat))
    }
}

impl AsFd for Dataset {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Makes a directory, unless it is there, and opens it.
pub fn make_directory(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(parent, name, PRIVATE) {
        Ok(()) | Err(Errno::EEXIST) => openat(parent, name, DIRECTORY, Mode::empty()),
        Err(errno) => Err(errno),
    }
}
