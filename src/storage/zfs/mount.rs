//! Mounting a dataset, with its key if it has one, for as long as somebody needs it.
//!
//! Two kinds of somebody do: runs, and people who look at backups. Each leaves a mark below /run/planb, as the mounts
//! themselves are gone after a reboot, too: `mounts/DATASET` says what a run has mounted and loaded that was not before,
//! so that it can be undone when the run is killed; `open/DATASET` says that people want it to stay. What was mounted by
//! other hands before has neither mark, and nobody here unmounts it. Looking and doing are one step under a lock.

use super::command::{zfs, zfs_with_key};
use super::dataset::{Dataset, mount_point};
use super::error::Error;
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::reason::chain;
use crate::host::lock::{self, Lock};
use crate::host::signals::Stop;
use crate::keys::{self, KeyFormat, Keys};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What a run's mark says if the run also loaded the key.
const WITH_KEY: &str = "key\n";

/// The marks of one dataset.
#[derive(Debug, Clone)]
pub struct Marks {
    run: PathBuf,
    people: PathBuf,
    lock: PathBuf,
}

impl Marks {
    /// `runtime`: /run/planb.
    pub fn of(runtime: &Path, dataset: &DatasetName) -> Self {
        let mounts = runtime.join("mounts");
        Self {
            run: mounts.join(dataset),
            people: runtime.join("open").join(dataset),
            lock: mounts.join(format!("{dataset}.lock")),
        }
    }

    fn lock(&self) -> io::Result<Lock> {
        self.lock.parent().map_or(Ok(()), lock::directory)?;
        Lock::take(&self.lock)
    }

    /// Whether people want the dataset to stay open.
    pub fn is_open_for_people(&self) -> bool {
        self.people.exists()
    }
}

/// Mounts it, unless it is, and leaves the mark of a run where that changed anything.
pub fn mount(
    dataset: &Dataset,
    fileset: &Name,
    keys: Option<&Keys>,
    marks: &Marks,
    stop: &Stop,
) -> Result<(), Error> {
    let marked = |source| Error::Mark { filesystem: dataset.name.clone(), source };
    let _lock = marks.lock().map_err(marked)?;
    if mount_point(&dataset.name)?.is_some() {
        return Ok(());
    }
    let load = dataset.key.filter(|_| dataset.is_locked);
    // Before the deed: a mark too many is cleared away, a mount too many is not.
    fs::write(&marks.run, if load.is_some() { WITH_KEY } else { "" }).map_err(marked)?;
    let mounted = load_and_mount(dataset, load, fileset, keys, stop);
    if mounted.is_err() {
        undo(&dataset.name, marks)?;
    }
    mounted
}

fn load_and_mount(
    dataset: &Dataset,
    load: Option<KeyFormat>,
    fileset: &Name,
    keys: Option<&Keys>,
    stop: &Stop,
) -> Result<(), Error> {
    if let (Some(format), Some(keys)) = (load, keys) {
        load_key(&dataset.name, format, fileset, keys, stop)?;
    }
    provide_mount_point(&dataset.path)?;
    // Beside the properties: a dataset that was taken over has not ours.
    zfs(&["mount", "-o", "nosuid,nodev,noexec", &dataset.name])?;
    match mount_point(&dataset.name)? {
        Some(at) if Path::new(&at) == dataset.path => Ok(()),
        Some(mountpoint) => Err(Error::MountedElsewhere {
            filesystem: dataset.name.clone(),
            mountpoint,
            wanted: dataset.path.clone(),
        }),
        None => Err(Error::NotUnderstood { said: format!("{} was mounted and is not", dataset.name) }),
    }
}

/// Tries what may be the key; while one is being rotated there are several.
fn load_key(
    filesystem: &str,
    format: KeyFormat,
    fileset: &Name,
    keys: &Keys,
    stop: &Stop,
) -> Result<(), Error> {
    let candidates = keys.candidates(stop)?;
    if candidates.is_empty() {
        let (filesystem, place) = (filesystem.to_owned(), keys.place());
        return Err(Error::KeyMissing { filesystem, place, fileset: fileset.clone() });
    }
    for keys::Candidate { slot, key } in candidates {
        match zfs_with_key(&["load-key", "-L", "prompt", filesystem], key.written(format)) {
            Ok(_) => {
                // It is open, and that is what counts: what is not cleared away now is the next time.
                if let Err(error) = keys.settle(slot) {
                    log::warn!("{fileset}: {}", chain(&error));
                }
                return Ok(());
            }
            Err(Error::Failed { said, .. }) if said.contains("Incorrect key") => {}
            Err(error) => return Err(error),
        }
    }
    let (filesystem, place) = (filesystem.to_owned(), keys.place());
    Err(Error::KeyWrong { filesystem, place, fileset: fileset.clone() })
}

/// The directory to mount on. Files in there would be hidden, and a link would lead the mount elsewhere.
fn provide_mount_point(path: &Path) -> Result<(), Error> {
    let in_the_way = |what| Error::InTheWay { path: path.to_owned(), what };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => return Err(in_the_way("it is a link")),
        Ok(found) if !found.is_dir() => return Err(in_the_way("it is no directory")),
        Ok(_) => {
            let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
            return if is_empty { Ok(()) } else { Err(in_the_way("it has files in it")) };
        }
        Err(_) => {}
    }
    let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(|_| in_the_way("it cannot be made"))
}

/// Undoes what a run did, unless people want it to stay.
pub fn close(filesystem: &str, marks: &Marks) -> Result<(), Error> {
    if !marks.run.exists() {
        return Ok(());
    }
    let _lock = marks.lock().map_err(|source| Error::Mark { filesystem: filesystem.to_owned(), source })?;
    if marks.is_open_for_people() {
        return Ok(());
    }
    undo(filesystem, marks)
}

/// The mark goes last: as long as it is there, somebody tries again.
fn undo(filesystem: &str, marks: &Marks) -> Result<(), Error> {
    let marked = |source| Error::Mark { filesystem: filesystem.to_owned(), source };
    let mark = match fs::read_to_string(&marks.run) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(marked)?,
    };
    if mount_point(filesystem)?.is_some() {
        zfs(&["unmount", filesystem])?;
    }
    if mark == WITH_KEY {
        match zfs(&["unload-key", filesystem]) {
            Err(Error::Failed { said, .. }) if said.contains("already unloaded") => {}
            unloaded => drop(unloaded?),
        }
    }
    fs::remove_file(&marks.run).map_err(marked)
}
