//! Giving files to whoever fills a workspace from now on: root did until now, or another user.

use super::Error;
use super::descent::{Task, walk};
use crate::host::account::Account;
use crate::host::signals::Stop;
use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::unistd::{Gid, Uid, fchown};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Nobody. What belongs to them was about to be given to somebody else.
const NOBODY: u32 = 65534;

/// Gives the directory, and all that is below it, to `to`.
pub fn give(path: &Path, data: &OwnedFd, to: Account, stop: &Stop) -> Result<(), Error> {
    let give = |uid, gid| fchown(data, Some(uid), Some(gid));
    // First to nobody: should this not come to its end, whoever is next begins it again.
    let owner = fstat(data).map_err(Error::io("look at", path))?.st_uid;
    let refused = |_| Error::OtherWriter { path: path.to_owned(), owner, writer: to.uid.as_raw() };
    give(Uid::from_raw(NOBODY), Gid::from_raw(NOBODY)).map_err(refused)?;
    visit(path, data, Task::Give(to), stop)?;
    give(to.uid, to.gid).map_err(Error::io("give away", path))
}

/// Walks through all that is below the directory. What is not part of it is an error.
pub fn visit(path: &Path, data: &OwnedFd, task: Task, stop: &Stop) -> Result<(), Error> {
    let top = data.try_clone().map_err(Error::io("open", path))?;
    let walked = walk(top, task, stop).map_err(Error::io("walk through", path))?;
    match walked.first_failure {
        Some((first, source)) if source.raw_os_error() == Some(Errno::EXDEV as i32) => {
            Err(Error::Inside { path: path.join(first), others: 0 })
        }
        Some((first, source)) => Err(Error::io("walk through", path.join(first))(source)),
        None if walked.stopped => Err(Error::Stopped),
        None => Ok(()),
    }
}
