//! A storage on btrfs: one subvolume that is written to, and read-only snapshots of it.
//!
//! ```text
//! PATH/DATASET/.planb                     whose dataset this is: a fileset's name
//! PATH/DATASET/data                       the live subvolume
//! PATH/DATASET/.new/data                  a snapshot that does not have its name yet
//! PATH/DATASET/planb-20260102T0304Z/data  a snapshot
//! PATH/DATASET/.trash                     what btrfs would not delete for us, still to be unlinked
//! ```
//!
//! A snapshot is made under a hidden name, is then on the disk, and gets its name by one rename; it goes by losing its
//! `data`, which btrfs does in one step as well. So whatever happens when, it is listed whole or not at all.
//!
//! Who fills the live subvolume reaches nothing else: the dataset is ours and closed, and a transfer sees `data` alone.
//! Whatever it does there, history is other subvolumes, and read-only.
//!
//! Only root may delete a subvolume. An ordinary user's snapshots are moved to the trash, made writable there, and emptied
//! file by file.

mod health;
mod open;
mod subvolume;

pub use open::Open;

use super::dataset::{Dataset, NEW};
use super::descent::{self, DIRECTORY, Task};
use super::place::Place;
use super::{DATA, Destroyed, Emptied, Error, Listed, Space};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::snapshot::Automatic;
use crate::host::account::Account;
use crate::host::signals::Stop;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, fstatfs};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Btrfs {
    place: Place,
    /// Who fills workspaces: we ourselves, or whom we let.
    writer: Account,
}

impl Btrfs {
    pub fn new(place: Place) -> Self {
        Self { place, writer: Account::own() }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn filled_by(self, writer: Account) -> Self {
        Self { writer, ..self }
    }

    pub fn open(&self, dataset: &DatasetName, fileset: &Name, stop: &Stop) -> Result<Open, Error> {
        // Before anything is made: where the disk is not mounted, another file system is.
        require_btrfs(self.place.open()?, self.place.path())?;
        let dataset = self.place.create(dataset, fileset)?;
        require_btrfs(&dataset, dataset.path())?;
        // Somebody may have let more people in, or this was a storage of another type.
        dataset.shut(self.place.readers())?;
        Open::new(dataset, self.writer, stop)
    }

    pub fn has_trash(&self, dataset: &DatasetName) -> Result<bool, Error> {
        self.place.find(dataset)?.map_or(Ok(false), |dataset| dataset.has_trash())
    }

    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, Error> {
        self.place.find(dataset)?.map_or_else(|| Ok(Vec::new()), |dataset| dataset.listed())
    }

    pub fn destroy(&self, dataset: &DatasetName, snapshots: &[Automatic]) -> Result<Destroyed, Error> {
        let Some(dataset) = self.place.find(dataset)? else { return Ok(Destroyed::nothing_of(snapshots)) };
        let (doomed, mut result) = dataset.doom(snapshots)?;
        let tops: Vec<String> = doomed.iter().map(ToString::to_string).collect();
        let said = remove(&dataset, &tops)?;
        for (name, top) in doomed.into_iter().zip(tops) {
            if !dataset.has(&top) {
                result.destroyed.push(name);
            } else if Account::own().uid.is_root() && is_subvolume(&dataset, &top) {
                result.skipped.push((name, said.clone()));
            } else {
                match dataset.discard(&top) {
                    Ok(()) => result.destroyed.push(name),
                    Err(errno) => result.skipped.push((name, errno.desc().to_owned())),
                }
            }
        }
        if !result.destroyed.is_empty() {
            dataset.sync()?;
        }
        Ok(result)
    }

    pub fn empty_trash(&self, dataset: &DatasetName, stop: &Stop) -> Result<Emptied, Error> {
        let Some(dataset) = self.place.find(dataset)? else { return Ok(Emptied::default()) };
        let mut removed = 0;
        let trash = dataset.in_trash()?;
        remove(&dataset, &trash)?;
        for top in trash.iter().filter(|top| is_subvolume(&dataset, top)) {
            let emptied = empty(&dataset, &format!("{top}/{DATA}"), stop)?;
            removed += emptied.removed;
            if emptied.stopped {
                return Ok(Emptied { removed, stopped: true });
            }
        }
        let emptied = dataset.empty_trash(stop)?;
        Ok(Emptied { removed: removed + emptied.removed, ..emptied })
    }

    pub fn space(&self, dataset: &DatasetName) -> Result<Space, Error> {
        self.place.space(dataset)
    }
}

fn require_btrfs(place: impl AsFd, path: &Path) -> Result<(), Error> {
    let looked = Error::io::<Errno>("look at the file system of", path);
    let (kind, state) = match (fstatfs(&place), fstatvfs(&place)) {
        (Ok(kind), Ok(state)) => (kind, state),
        (Err(errno), _) | (_, Err(errno)) => return Err(looked(errno)),
    };
    if kind.filesystem_type() != BTRFS_SUPER_MAGIC {
        return Err(Error::NotBtrfs { path: path.to_owned() });
    }
    if state.flags().contains(FsFlags::ST_RDONLY) {
        return Err(Error::ReadOnly { path: path.to_owned() });
    }
    Ok(())
}

/// Takes away what a killed run left: a snapshot without a name, and names without a snapshot.
fn clear(dataset: &Dataset) -> Result<(), Error> {
    let mut tops: Vec<String> = dataset.hollow()?.iter().map(ToString::to_string).collect();
    tops.push(NEW.to_owned());
    remove(dataset, &tops)?;
    if dataset.has(NEW) {
        let path = dataset.path().join(NEW);
        dataset.discard(NEW).map_err(Error::io("discard the unfinished snapshot", path))?;
    }
    Ok(())
}

/// Deletes the subvolumes that are the `data` of these directories of the dataset, in one call, and the directories with
/// them. What has to stay stays, and the text says why.
fn remove(dataset: &Dataset, tops: &[String]) -> Result<String, Error> {
    let subvolumes: Vec<PathBuf> = tops
        .iter()
        .filter(|top| is_subvolume(dataset, top))
        .map(|top| dataset.path().join(top).join(DATA))
        .collect();
    let said = if subvolumes.is_empty() { String::new() } else { subvolume::delete(&subvolumes)? };
    for top in tops {
        // One that still holds something says so.
        let _ = unlinkat(dataset, top.as_str(), UnlinkatFlags::RemoveDir);
    }
    Ok(said)
}

fn is_subvolume(dataset: &Dataset, top: &str) -> bool {
    let data = format!("{top}/{DATA}");
    fstatat(dataset, data.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|stat| subvolume::is_top(&stat))
}

/// Removes a subvolume as a tree of files, which its owner may do.
fn empty(dataset: &Dataset, data: &str, stop: &Stop) -> Result<Emptied, Error> {
    let path = dataset.path().join(data);
    match subvolume::make_writable(&path) {
        // Somebody else empties the same trash.
        Err(_) if !dataset.has(data) => return Ok(Emptied::default()),
        other => other?,
    }
    let top = match openat(dataset, data, DIRECTORY, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(Emptied::default()),
        top => top.map_err(Error::io("open", &path))?,
    };
    let walked = descent::walk(top, Task::Empty, stop).map_err(Error::io("empty", &path))?;
    if let Some((first, source)) = walked.first_failure {
        return Err(Error::NotRemoved { path, failures: walked.failures, first, source });
    }
    if !walked.stopped {
        match unlinkat(dataset, data, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(Error::io("remove", path)(errno)),
        }
    }
    Ok(Emptied { removed: walked.removed, stopped: walked.stopped })
}

#[cfg(test)]
mod tests;
