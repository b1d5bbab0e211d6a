//! The directory of the administrator's that holds datasets: a storage that is part of a file system, not one of its own.

use super::dataset::Dataset;
use super::descent::{DIRECTORY, same_mount};
use super::health::{Finding, Health};
use super::{Error, Held, Rename, SnapshotName, Space};
use crate::fileset::name::{DatasetName, Name};
use crate::host::mounts;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, RenameFlags, open, renameat2};
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, Statvfs, fstatvfs};
use nix::unistd::{Gid, Uid, fsync};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the datasets are. It is never made.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// What PlanB remembers of runs.
    records: PathBuf,
}

impl Place {
    pub fn new(path: PathBuf, records: PathBuf) -> Self {
        Self { path, records }
    }

    /// Who may know which snapshots there are: the group that may read the records, where root keeps both.
    pub fn readers(&self) -> Option<Gid> {
        let group = Gid::from_raw(fs::metadata(&self.records).ok()?.gid());
        (Uid::effective().is_root() && group != Gid::effective()).then_some(group)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn open(&self) -> Result<OwnedFd, Error> {
        let path = || self.path.clone();
        if !self.path.is_absolute() {
            return Err(Error::NotAbsolute { path: path() });
        }
        // The path itself is the administrator's, links in it are too.
        match open(&self.path, DIRECTORY - OFlag::O_NOFOLLOW, Mode::empty()) {
            Ok(root) => Ok(root),
            Err(Errno::ENOENT) => Err(Error::Missing { path: path() }),
            Err(Errno::ENOTDIR) => Err(Error::NotADirectory { path: path() }),
            Err(errno) => Err(Error::io("open the storage", path())(errno)),
        }
    }

    /// The dataset, if it is there. Whose it is does not matter to who only reads.
    pub fn find(&self, dataset: &DatasetName) -> Result<Option<Dataset>, Error> {
        Dataset::find(&self.open()?, &self.path, dataset)
    }

    /// Where the snapshots of a dataset that is there are.
    pub fn visit(&self, dataset: &DatasetName) -> Result<PathBuf, Error> {
        match self.find(dataset)? {
            Some(dataset) => Ok(dataset.path().to_owned()),
            None => Err(Error::NotYet { path: self.path.join(dataset) }),
        }
    }

    /// The dataset of that fileset, created where it is missing.
    pub fn create(&self, dataset: &DatasetName, fileset: &Name) -> Result<Dataset, Error> {
        Dataset::create(&self.open()?, &self.path, dataset, fileset)
    }

    /// The room there is for the dataset, which can be a disk of its own.
    pub fn space(&self, dataset: &DatasetName) -> Result<Space, Error> {
        let stat = match self.find(dataset)? {
            Some(dataset) => fstatvfs(dataset),
            None => fstatvfs(self.open()?),
        };
        Ok(space_of(&stat.map_err(Error::io("measure the file system of", &self.path))?))
    }

    pub fn health(&self) -> Health {
        let measured =
            |root: &OwnedFd| fstatvfs(root).map_err(Error::io("measure the file system of", &self.path));
        let (root, stat) = match self.open().and_then(|root| measured(&root).map(|stat| (root, stat))) {
            Ok(seen) => seen,
            Err(error) => return Finding::of(&error).into(),
        };
        // In a sandbox it may be mounted read-only for us alone: what counts is what it is for everybody.
        let is_read_only = match mounts::holding(&root) {
            Ok(Some(mount)) => mount.read_only,
            _ => stat.flags().contains(FsFlags::ST_RDONLY),
        };
        let read_only = is_read_only.then(|| Finding::of(&Error::ReadOnly { path: self.path.clone() }));
        Health { findings: read_only.into_iter().collect(), space: Some(space_of(&stat)) }
    }

    /// All datasets, by name. What has no marker is none.
    pub fn datasets(&self) -> Result<Vec<Held>, Error> {
        let root = self.open()?;
        let failed = || Error::io::<Errno>("list", &self.path);
        let mut held = Vec::new();
        for entry in Dir::openat(&root, c".", DIRECTORY, Mode::empty()).map_err(failed())?.iter() {
            let entry = entry.map_err(failed())?;
            let Some(name) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let dataset = match Dataset::find(&root, &self.path, &name) {
                Err(Error::NotADirectory { .. } | Error::Link { .. }) | Ok(None) => continue,
                found => found?,
            };
            let Some(dataset) = dataset else { continue };
            let Some(owner) = dataset.owner()? else { continue };
            let snapshots = dataset.snapshots()?;
            let newest = snapshots.last().map(SnapshotName::time);
            let (fileset, snapshots) = (Some(owner), snapshots.len());
            held.push(Held { name, fileset, snapshots, newest, used: None, is_container: false });
        }
        held.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(held)
    }

    /// Whether there is a dataset to rename, and nothing in the way.
    pub fn may_rename(&self, rename: &Rename) -> Result<bool, Error> {
        let there = if rename.moves() { self.find(&rename.to)? } else { None };
        if let Some(there) = there {
            return Err(Error::Taken { path: there.path().to_owned() });
        }
        let Some(dataset) = self.find(&rename.from)? else { return Ok(false) };
        dataset.require_owner(&rename.old)?;
        let root = self.open()?;
        let moves =
            !rename.moves() || same_mount(&dataset, &root).map_err(Error::io("look at", dataset.path()))?;
        if moves {
            Ok(true)
        } else {
            Err(Error::Mounted { path: dataset.path().to_owned(), name: rename.from.clone() })
        }
    }

    /// Renames a dataset, or goes on with that.
    pub fn rename(&self, rename: &Rename) -> Result<(), Error> {
        let here = self.find(&rename.from)?;
        let there = if rename.moves() { self.find(&rename.to)? } else { None };
        let dataset = match (&here, &there) {
            (Some(_), Some(there)) => return Err(Error::Taken { path: there.path().to_owned() }),
            (Some(dataset), None) | (None, Some(dataset)) => dataset,
            (None, None) => return Ok(()),
        };
        if dataset.owner()?.as_deref() != Some(rename.new.as_str()) {
            dataset.require_owner(&rename.old)?;
            dataset.mark(&rename.new)?;
        }
        if here.is_some() && rename.moves() {
            let root = self.open()?;
            let (from, to) = (rename.from.as_str(), rename.to.as_str());
            renameat2(&root, from, &root, to, RenameFlags::RENAME_NOREPLACE)
                .map_err(Error::io("rename", dataset.path()))?;
            fsync(root).map_err(Error::io("sync", &self.path))?;
        }
        Ok(())
    }
}

fn space_of(stat: &Statvfs) -> Space {
    let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
    // File systems that have inodes without number say that they have none at all.
    let inodes_left = stat.files() == 0 || stat.files_available() > 0;
    let available = if inodes_left { bytes(stat.blocks_available()) } else { 0 };
    Space { total: bytes(stat.blocks()), available }
}
