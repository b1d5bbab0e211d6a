//! Configuration files as they lie on disk: which of them count, and reading them without trusting them.
//!
//! What they say decides what root mounts, deletes and runs: only files that nobody but root could have written are
//! believed. Links are followed, since administrators keep such files under version control elsewhere; it is the file
//! at the end that must be root's.

use super::diagnostic::Diagnostic;
use super::document::Document;
use crate::fileset::quantity::Size;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::Uid;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirEntry, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file that is read. A drop-in of any sense is a hundredth of that.
const LARGEST: u64 = 1 << 20;

/// Who beside root may own the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Trust {
    /// The user of a private world under `--root`.
    pub user: Option<Uid>,
}

/// A drop-in that counts, not yet read.
#[derive(Debug)]
pub struct DropIn {
    pub path: PathBuf,
    /// A regular file, as its directory says.
    plain: bool,
    /// Why it cannot be used whatever it says: its directory is not to be trusted, or one of higher precedence, which
    /// may replace or mask it, could not be looked at.
    pub doubts: Vec<Diagnostic>,
}

/// What the drop-in directories have, by file name, and what is to be said about them.
pub fn drop_ins(directories: &[PathBuf], trust: Trust) -> (Vec<DropIn>, Vec<Diagnostic>) {
    let mut found: BTreeMap<OsString, Option<DropIn>> = BTreeMap::new();
    let (mut doubts, mut warnings) = (Vec::new(), Vec::new());
    for directory in directories {
        let (names, doubt) = list(directory, trust);
        doubts.extend(doubt);
        for (name, kind) in names {
            let path = directory.join(&name);
            match classify(&name) {
                FileName::DropIn => {
                    let plain = kind.is_some_and(|kind| kind.is_file());
                    found.entry(name).or_insert_with(|| {
                        let masked = !plain && is_mask(&path);
                        (!masked).then(|| DropIn { path, plain, doubts: doubts.clone() })
                    });
                }
                FileName::Stray => warnings.push(Diagnostic::warning(
                    path,
                    "is not read: the name of a drop-in ends in \".toml\" (to silence this, end it in \".disabled\")",
                )),
                FileName::Leftover => {}
            }
        }
    }
    (found.into_values().flatten().collect(), [doubts, warnings].concat())
}

enum FileName {
    DropIn,
    /// Of an editor or a package manager, or put aside on purpose.
    Leftover,
    /// Somebody may think that it counts.
    Stray,
}

fn classify(name: &OsString) -> FileName {
    // ".removed" is ours: a file that `planb remove` has put aside.
    const LEFTOVERS: [&[u8]; 10] = [
        b"~",
        b"#",
        b".bak",
        b".disabled",
        b".orig",
        b".removed",
        b".swp",
        b".rpmsave",
        b".rpmnew",
        b".rpmorig",
    ];
    const MARKS: [&str; 3] = [".dpkg-", ".ucf-", "README"];
    let bytes = name.as_bytes();
    if bytes.starts_with(b".") || bytes.starts_with(b"#") {
        FileName::Leftover
    } else if bytes.ends_with(b".toml") {
        FileName::DropIn
    } else if LEFTOVERS.iter().any(|end| bytes.ends_with(end))
        || MARKS.iter().any(|mark| name.to_string_lossy().contains(mark))
    {
        FileName::Leftover
    } else {
        FileName::Stray
    }
}

/// A name in a directory, and what has it if the directory says that.
type Entry = (OsString, Option<FileType>);

/// The names in a directory, none where it does not exist, and what is wrong with it if anything is.
fn list(directory: &Path, trust: Trust) -> (Vec<Entry>, Option<Diagnostic>) {
    let is_missing = || fs::symlink_metadata(directory).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    let names = fs::read_dir(directory).and_then(|entries| {
        let entry = |entry: DirEntry| (entry.file_name(), entry.file_type().ok());
        entries.map(|found| found.map(entry)).collect()
    });
    match names {
        Ok(names) => (names, trusted_directory(directory, trust).err()),
        Err(_) if is_missing() => (Vec::new(), None),
        Err(e) => (Vec::new(), Some(Diagnostic::file(directory, format!("cannot be read: {}", reason(&e))))),
    }
}

/// Refuses a directory in which others could put or replace files. One that does not exist has none.
pub fn trusted_directory(directory: &Path, trust: Trust) -> Result<(), Diagnostic> {
    match fs::metadata(directory) {
        Ok(metadata) => trusted(directory, &metadata, trust),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Diagnostic::file(directory, format!("cannot be read: {}", reason(&e)))),
    }
}

fn is_mask(path: &Path) -> bool {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_symlink());
    is_link && fs::canonicalize(path).is_ok_and(|target| target == Path::new("/dev/null"))
}

/// Reads a file that may be missing.
pub fn read_optional(path: &Path, trust: Trust) -> Result<Option<Document>, Diagnostic> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => read(path, trust).map(Some),
    }
}

impl DropIn {
    /// Reads it, or says why it is not to be read.
    pub fn read(&self, trust: Trust) -> Result<Document, Diagnostic> {
        read_known(&self.path, self.plain, trust)
    }
}

/// Reads a file, or says why it is not to be read.
pub fn read(path: &Path, trust: Trust) -> Result<Document, Diagnostic> {
    read_known(path, false, trust)
}

/// `plain`: it is known to be a regular file.
fn read_known(path: &Path, plain: bool, trust: Trust) -> Result<Document, Diagnostic> {
    let refuse = |message: String| Diagnostic::file(path, message);
    let unreadable = |e: io::Error| refuse(explain(path, &e));
    // Opening some devices does something: look first. What was opened is looked at again, since only that is read;
    // a pipe that took the file's place in between cannot make us wait.
    if !plain {
        regular(&fs::metadata(path).map_err(unreadable)?).map_err(refuse)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    regular(&metadata).map_err(refuse)?;
    trusted(path, &metadata, trust)?;
    let bytes = bounded(file, metadata.len()).map_err(unreadable)?.map_err(refuse)?;
    text(path, bytes)
}

fn regular(metadata: &Metadata) -> Result<(), String> {
    let kind = metadata.file_type();
    let found = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(format!("is {found}: a configuration file is a regular file"))
}

fn trusted(path: &Path, metadata: &Metadata, trust: Trust) -> Result<(), Diagnostic> {
    let shown = path.display();
    let owner = Uid::from_raw(metadata.uid());
    if !owner.is_root() && trust.user != Some(owner) {
        let wanted = trust
            .user
            .filter(|user| !user.is_root())
            .map_or(String::new(), |user| format!(" or user {user}"));
        return Err(Diagnostic::file(
            path,
            format!("belongs to user {owner}, not to root{wanted}: run `chown root {shown}`"),
        ));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(Diagnostic::file(
            path,
            format!("can be written by others than its owner (mode {mode:04o}): run `chmod go-w {shown}`"),
        ));
    }
    Ok(())
}

fn bounded(mut file: File, size: u64) -> io::Result<Result<Vec<u8>, String>> {
    let too_big =
        |size| format!("is too big for a configuration file: {}, at most 1 MiB", Size::from_bytes(size));
    if size > LARGEST {
        return Ok(Err(too_big(size)));
    }
    // One byte more than there should be: a regular file that fills it not is at its end, and need not be asked again. There
    // are ten thousand of them at every boot.
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default() + 1];
    let read = file.read(&mut bytes)?;
    if read < bytes.len() && read as u64 == size {
        bytes.truncate(read);
        return Ok(Ok(bytes));
    }
    // It grows or shrinks while it is read.
    bytes.truncate(read);
    file.take(LARGEST + 1 - read as u64).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > LARGEST { Err(too_big(bytes.len() as u64)) } else { Ok(bytes) })
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<Document, Diagnostic> {
    let path = path.to_owned();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Diagnostic::file(path, "is UTF-16: save it as UTF-8, without a byte order mark"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => {
            let document = Document { path, text };
            if document.text.starts_with('\u{feff}') {
                return Err(
                    document.cite(0..3, "begins with a byte order mark: save it as UTF-8 without one")
                );
            }
            match document.text.find('\0') {
                Some(at) => Err(document.cite(at..at + 1, "a NUL byte cannot be in a configuration file")),
                None => Ok(document),
            }
        }
        Err(e) => {
            let at = e.utf8_error().valid_up_to();
            let byte = e.as_bytes().get(at).copied().unwrap_or_default();
            let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
            // What is valid before the byte has the same length in both, and the byte becomes U+FFFD.
            let document = Document { path, text };
            Err(document.cite(at..at + 3, format!("byte 0x{byte:02x} is not UTF-8: save the file as UTF-8")))
        }
    }
}

fn explain(path: &Path, e: &io::Error) -> String {
    match (e.kind(), fs::read_link(path)) {
        (io::ErrorKind::NotFound, Ok(target)) => format!(
            "is a link to {}, which does not exist: mend it, or remove it (a link to /dev/null masks a fileset)",
            target.display()
        ),
        _ => format!("cannot be read: {}", reason(e)),
    }
}

/// The system's words for an error, as a fragment.
fn reason(e: &io::Error) -> String {
    let text = e.raw_os_error().map_or_else(|| e.to_string(), |code| Errno::from_raw(code).desc().to_owned());
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::geteuid;

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web1.toml");
        fs::write(&path, "").expect("a file");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a mode");
        let somebody = Uid::from_raw(65534);
        // Root gives the file away; anybody else has one that is not root's.
        let owner = if geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(somebody.as_raw()), None).expect("root can");
            somebody
        } else {
            geteuid()
        };
        let refused = read(&path, Trust { user: None }).expect_err("not root's");
        assert!(
            refused.to_string().contains(&format!("belongs to user {owner}, not to root: run `chown root "))
        );
        let other = Uid::from_raw(4242);
        let refused = read(&path, Trust { user: Some(other) }).expect_err("not theirs");
        assert!(refused.to_string().contains("not to root or user 4242"), "{refused}");
        read(&path, Trust { user: Some(owner) }).expect("their own");
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_does_not_fill_memory() {
        let said =
            bounded(File::open("/dev/zero").expect("a device"), 0).expect("readable").expect_err("too big");
        assert!(said.contains("at most 1 MiB"), "{said}");
    }
}
