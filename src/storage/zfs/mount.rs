//! Mounting a dataset, with its key if it has one, for as long as somebody needs it: [`super::marks`] knows who.

use super::command::{zfs, zfs_with_key};
use super::dataset::{Dataset, find, properties};
use super::error::Error;
use super::marks::{Locked, Marks, State};
use crate::fileset::name::Name;
use crate::host::mounts::{self, Mount};
use crate::host::signals::Stop;
use crate::keys::{self, KeyFormat, Keys};
use crate::storage::{Errand, Shut, User};
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Where a file system is mounted now: the last one covers those before.
pub fn mount_of(filesystem: &str) -> Result<Option<Mount>, Error> {
    let all = mounts::all().map_err(Error::io("read", "/proc/self/mountinfo"))?;
    let ours = |mount: &Mount| mount.kind == "zfs" && mount.whole && mount.source == filesystem;
    Ok(all.into_iter().rfind(ours))
}

/// Opens it for somebody: mounts it unless it is.
pub fn enter(
    dataset: &Dataset,
    fileset: &Name,
    keys: Option<&Keys>,
    marks: &Marks,
    user: &User,
    stop: &Stop,
) -> Result<(), Error> {
    let mut locked = marks.lock()?;
    // A person opens it once, however often they say so.
    locked
        .state
        .users
        .retain(|known| user.errand != Errand::Open || known.errand != Errand::Open || known.who != user.who);
    locked.state.users.push(user.clone());
    if let Some(mount) = mount_of(&dataset.name)? {
        is_at(dataset, &mount)?;
        return locked.keep();
    }
    let load = dataset.key.filter(|_| dataset.is_locked);
    // Before the deed: a mark too many is cleared away, a mount too many is not.
    locked.state.mounted = true;
    locked.state.loaded |= load.is_some();
    locked.keep()?;
    let mounted = load_and_mount(dataset, load, fileset, keys, stop);
    if mounted.is_err() {
        locked.state.users.retain(|known| known != user);
        // Why it could not be opened is what counts. What cannot be closed now is by whoever comes next.
        let _ = undo(&dataset.name, &dataset.path, &mut locked);
    }
    mounted
}

/// Somebody does not need it any more. The last one closes it.
pub fn leave(filesystem: &str, path: &Path, marks: &Marks, user: &User) -> Result<(), Error> {
    let mut locked = marks.lock()?;
    locked.state.users.retain(|known| known != user);
    undo(filesystem, path, &mut locked)
}

/// Closes what is left of those who were killed.
pub fn close(filesystem: &str, path: &Path, marks: &Marks) -> Result<(), Error> {
    if marks.look() == State::default() {
        return Ok(());
    }
    undo(filesystem, path, &mut marks.lock()?)
}

/// Closes it for whoever opened it to look at it. Who is still inside is told, and nothing is changed.
pub fn shut(filesystem: &str, path: &Path, marks: &Marks) -> Result<Shut, Error> {
    let mut locked = marks.lock()?;
    let inside: Vec<User> =
        locked.state.users.iter().filter(|user| user.errand != Errand::Open).cloned().collect();
    if !inside.is_empty() {
        return Ok(Shut::InUse(inside));
    }
    let was_open = locked.state != State::default();
    locked.state.users.clear();
    undo(filesystem, path, &mut locked)?;
    match mount_of(filesystem)? {
        Some(_) => Ok(Shut::ByOtherHands),
        None if was_open => Ok(Shut::Closed),
        None => Ok(Shut::WasClosed),
    }
}

fn is_at(dataset: &Dataset, mount: &Mount) -> Result<(), Error> {
    if mount.point == dataset.path {
        return Ok(());
    }
    let (filesystem, wanted) = (dataset.name.clone(), dataset.path.clone());
    Err(Error::MountedElsewhere { filesystem, mountpoint: mount.point.display().to_string(), wanted })
}

fn load_and_mount(
    dataset: &Dataset,
    load: Option<KeyFormat>,
    fileset: &Name,
    keys: Option<&Keys>,
    stop: &Stop,
) -> Result<(), Error> {
    provide_mount_point(&dataset.path)?;
    if let (Some(format), Some(keys)) = (load, keys) {
        load_key(&dataset.name, format, fileset, keys, stop)?;
    }
    // Beside the properties: a dataset that was taken over has not ours.
    zfs(&["mount", "-o", "nosuid,nodev,noexec", &dataset.name])?;
    match mount_of(&dataset.name)? {
        Some(mount) => is_at(dataset, &mount)?,
        None => {
            return Err(Error::NotUnderstood { said: format!("{} was mounted and is not", dataset.name) });
        }
    }
    if dataset.key.is_none() {
        return Ok(());
    }
    // That it has a key of its own, and that this is the one which is loaded, is asked of zfs and not concluded.
    match find(&dataset.name, &dataset.path, fileset, keys)? {
        Some(now) if !now.is_locked => Ok(()),
        _ => Err(Error::NotUnlocked { filesystem: dataset.name.clone() }),
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
            Ok(_) => return Ok(keys.settle(slot)?),
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
            let all = mounts::all().map_err(Error::io("read", "/proc/self/mountinfo"))?;
            if mounts::is_mount_point(&all, path) {
                return Err(in_the_way("something else is mounted there"));
            }
            let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
            return if is_empty { Ok(()) } else { Err(in_the_way("it has files in it")) };
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("look at", path)(error)),
    }
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(Error::io("create", path))
}

/// Undoes what we did, unless somebody needs it. The marks go last: as long as there are any, somebody tries again.
fn undo(filesystem: &str, path: &Path, locked: &mut Locked) -> Result<(), Error> {
    if !locked.state.users.is_empty() {
        return locked.keep();
    }
    let undone = undo_in_turn(filesystem, path, &mut locked.state);
    locked.keep()?;
    undone
}

fn undo_in_turn(filesystem: &str, path: &Path, state: &mut State) -> Result<(), Error> {
    if state.mounted && mount_of(filesystem)?.is_some() {
        // Snapshots that somebody looked into were mounted by that, and are unmounted with it.
        zfs(&["unmount", filesystem]).map_err(|error| match error {
            Error::Failed { said, .. } if said.contains("busy") => {
                Error::Busy { filesystem: filesystem.to_owned(), path: path.to_owned() }
            }
            error => error,
        })?;
    }
    state.mounted = false;
    if state.loaded {
        match zfs(&["unload-key", filesystem]) {
            Err(Error::Failed { said, .. }) if said.contains("already unloaded") => {}
            Err(Error::Failed { said, .. }) if said.contains("busy") => {
                return Err(Error::KeyBusy { filesystem: filesystem.to_owned() });
            }
            // It was to be made and never was.
            Err(error) if error.is_missing() => {}
            unloaded => drop(unloaded?),
        }
        if let Some(now) = properties(filesystem)?
            && now.value("keystatus")? == "available"
        {
            let (filesystem, found) = (filesystem.to_owned(), "available".to_owned());
            return Err(Error::NotLocked { filesystem, found });
        }
    }
    state.loaded = false;
    Ok(())
}
