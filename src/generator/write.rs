//! Puts the generated files where systemd wants them: into one directory, which it emptied before.

use super::Content;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use std::collections::BTreeMap;
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

/// Writes the files into `directory`. No link that somebody put there leads out of it.
///
/// Drop-ins come before the links that make timers start: whatever ends this half-way, no timer starts without its
/// schedule.
pub fn write(directory: &Path, files: &BTreeMap<PathBuf, Content>) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = directory.join(path);
        move |errno: Errno| Error { path, source: errno.into() }
    };
    let top = open(directory, OFlag::O_DIRECTORY | OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(failed(Path::new("")))?;
    let (texts, links): (Vec<_>, Vec<_>) =
        files.iter().partition(|(_, content)| matches!(content, Content::Text(_)));
    let mut made = None;
    for (path, content) in texts.into_iter().chain(links) {
        let parent = path.parent();
        if made != parent {
            if let Some(parent) = parent {
                make_directory(&top, parent).map_err(failed(parent))?;
            }
            made = parent;
        }
        match content {
            Content::Text(text) => {
                file(&top, path, text).map_err(|source| Error { path: directory.join(path), source })?
            }
            Content::Link(target) => link(&top, path, target).map_err(failed(path))?,
        }
    }
    Ok(())
}

fn make_directory(top: &OwnedFd, path: &Path) -> Result<(), Errno> {
    match mkdirat(top, path, Mode::from_bits_truncate(0o755)) {
        Err(Errno::EEXIST) => {
            // Opened to see that it is a directory, and not a link to one.
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_PATH | OFlag::O_CLOEXEC;
            openat(top, path, flags, Mode::empty()).map(drop)
        }
        made => made,
    }
}

fn file(top: &OwnedFd, path: &Path, text: &str) -> io::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = openat(top, path, flags, Mode::from_bits_truncate(0o644))?;
    File::from(file).write_all(text.as_bytes())
}

fn link(top: &OwnedFd, path: &Path, target: &str) -> Result<(), Errno> {
    match symlinkat(target, top, path) {
        Err(Errno::EEXIST) => {
            unlinkat(top, path, UnlinkatFlags::NoRemoveDir)?;
            symlinkat(target, top, path)
        }
        made => made,
    }
}
