//! Puts the generated files where systemd wants them: into one directory, which it emptied before.

use super::Content;
use crate::host::threads;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The files could not be written: what is there now is part of them.
#[derive(Debug, thiserror::Error)]
#[error("failed to write {path}")]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

/// Writes the files into `directory`.
///
/// A link is made after the files before it: whatever ends this half-way, no timer starts without its schedule.
pub fn write(directory: &Path, files: &[(String, Content)]) -> Result<(), Error> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_PATH | OFlag::O_CLOEXEC;
    let top = open(directory, flags, Mode::empty())
        .map_err(|errno| Error { path: directory.to_owned(), source: errno.into() })?;
    let write_all = |filesets: &[&[(String, Content)]]| {
        filesets.iter().copied().flatten().try_for_each(|(path, content)| {
            let written = match content {
                Content::Text(text) => file(&top, path, text),
                Content::Link(target) => link(&top, path, target),
            };
            written.map_err(|source| Error { path: directory.join(path), source })
        })
    };
    let filesets: Vec<_> = files.chunk_by(|(_, before), _| matches!(before, Content::Text(_))).collect();
    threads::share(&filesets, write_all).into_iter().collect()
}

/// A file in a directory of its own.
fn file(top: &OwnedFd, path: &str, text: &str) -> io::Result<()> {
    make_parent(top, path)?;
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = openat(top, path, flags, Mode::from_bits_truncate(0o644))?;
    File::from(file).write_all(text.as_bytes())
}

/// A link in a directory that has all of them.
fn link(top: &OwnedFd, path: &str, target: &str) -> io::Result<()> {
    match symlinkat(target, top, path) {
        Err(Errno::ENOENT) => make_parent(top, path)?,
        Err(Errno::EEXIST) => unlinkat(top, path, UnlinkatFlags::NoRemoveDir)?,
        made => return Ok(made?),
    }
    Ok(symlinkat(target, top, path)?)
}

fn make_parent(top: &OwnedFd, path: &str) -> Result<(), Errno> {
    let parent = path.split_once('/').map_or(".", |(parent, _)| parent);
    match mkdirat(top, parent, Mode::from_bits_truncate(0o755)) {
        Err(Errno::EEXIST) => {
            // Opened to see that it is a directory, and not a link to one.
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_PATH | OFlag::O_CLOEXEC;
            openat(top, parent, flags, Mode::empty()).map(drop)
        }
        made => made,
    }
}
