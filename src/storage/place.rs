//! The directory of the administrator's that holds datasets: a storage that is part of a file system, not one of its own.

use super::dataset::Dataset;
use super::descent::DIRECTORY;
use super::{Error, Space};
use crate::fileset::name::{DatasetName, Name};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Where the datasets are. It is never made.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
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
        let stat = stat.map_err(Error::io("measure the file system of", &self.path))?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
        // File systems that have inodes without number say that they have none at all.
        let inodes_left = stat.files() == 0 || stat.files_available() > 0;
        let available = if inodes_left { bytes(stat.blocks_available()) } else { 0 };
        Ok(Space { total: bytes(stat.blocks()), available })
    }
}
