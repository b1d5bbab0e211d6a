//! Which hooks there are, and which of them may be trusted.

use nix::unistd::Uid;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What editors and package managers leave beside a file. None of it is meant to run.
const LEFTOVERS: [&str; 4] = ["~", ".bak", ".rpmsave", ".rpmnew"];

/// Why a hook is not run.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("failed to look at {}", .path.display())]
    Look { path: PathBuf, source: io::Error },
    #[error("{} is not executable: chmod +x it, or make it a link to /dev/null", .path.display())]
    NotExecutable { path: PathBuf },
    #[error("{} belongs to user {owner}: chown it to root, or to the user who runs it", .path.display())]
    Foreign { path: PathBuf, owner: u32 },
    #[error("{} can be changed by others than its owner: chmod go-w it", .path.display())]
    Open { path: PathBuf },
}

/// The hooks of these directories by name, the first directory's where two have the same name. `runner` is who will run
/// them: they are root's or the runner's own.
pub fn hooks(directories: &[PathBuf], runner: Uid) -> Vec<(String, Result<PathBuf, Refused>)> {
    let mut found = BTreeMap::new();
    let mut refused = Vec::new();
    for directory in directories {
        let entries = match list(directory, runner) {
            Ok(entries) => entries,
            Err(error) => {
                refused.push((directory.display().to_string(), Err(error)));
                continue;
            }
        };
        for path in entries {
            if let Some(name) = path.file_name().filter(|name| is_meant(name)) {
                // Also where this one will be refused, or masks: what stands first stands for the name.
                found.entry(name.to_owned()).or_insert(path);
            }
        }
    }
    let judged = found.into_iter().filter_map(|(name, path)| {
        let judged = judge(&path, runner).transpose()?;
        Some((name.to_string_lossy().into_owned(), judged))
    });
    refused.into_iter().chain(judged).collect()
}

fn list(directory: &Path, runner: Uid) -> Result<Vec<PathBuf>, Refused> {
    let look = |source| Refused::Look { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(look)?,
    };
    trust(directory, runner)?;
    entries.map(|entry| Ok(entry.map_err(look)?.path())).collect()
}

fn is_meant(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    !(name.starts_with('.') || name.contains(".dpkg-") || LEFTOVERS.iter().any(|end| name.ends_with(end)))
}

/// Where the hook really is. `None` where there is none: a directory, or a mask.
fn judge(path: &Path, runner: Uid) -> Result<Option<PathBuf>, Refused> {
    let look = |source| Refused::Look { path: path.to_owned(), source };
    let real = fs::canonicalize(path).map_err(look)?;
    let meta = fs::metadata(&real).map_err(look)?;
    if real == Path::new("/dev/null") || meta.is_dir() {
        return Ok(None);
    }
    if !meta.is_file() || meta.mode() & 0o111 == 0 {
        return Err(Refused::NotExecutable { path: path.to_owned() });
    }
    trust(&real, runner)?;
    // A link leads to directories of which we know nothing: who may write there may put another file in its place.
    if let Some(directory) = real.parent() {
        trust(directory, runner)?;
    }
    Ok(Some(path.to_owned()))
}

/// Refuses what somebody could write who is neither root nor the one who runs it.
fn trust(path: &Path, runner: Uid) -> Result<(), Refused> {
    let meta = fs::metadata(path).map_err(|source| Refused::Look { path: path.to_owned(), source })?;
    if meta.uid() != 0 && meta.uid() != runner.as_raw() {
        return Err(Refused::Foreign { path: path.to_owned(), owner: meta.uid() });
    }
    if meta.mode() & 0o002 != 0 || (meta.mode() & 0o020 != 0 && meta.gid() != 0) {
        return Err(Refused::Open { path: path.to_owned() });
    }
    Ok(())
}
