//! Keys in systemd's store of encrypted credentials, systemd.exec(5): on the disk only what this machine's own secret,
//! or its TPM, can decrypt. systemd-creds(1) gets and gives them through pipes.

use super::error::Error;
use super::files::{self, Files};
use super::key::{Key, LONGEST};
use crate::fileset::name::Name;
use crate::host::paths::Paths;
use crate::host::process::{Ending, Input, Limits, Program, Whispered};
use crate::host::secret::Secret;
use crate::host::signals::Stop;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a credential's name begins with, as `planb.key.NAME`. No fileset's name can make one of these look like another.
const CURRENT: &str = "planb.key.";
const PENDING: &str = "planb.key-pending.";
const PREVIOUS: &str = "planb.key-previous.";
pub const PREFIXES: [&str; 3] = [CURRENT, PENDING, PREVIOUS];

/// A TPM takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// No credential with a key in it is longer.
const LONGEST_ENCRYPTED: usize = 64 * 1024;

pub fn files(paths: &Paths, fileset: &Name) -> Files {
    let [current, pending, previous] =
        PREFIXES.map(|prefix| paths.credentials().join(format!("{prefix}{fileset}")));
    Files { current, pending, previous }
}

/// The key in a credential's file, if there is one.
pub fn read(paths: &Paths, fileset: &Name, path: &Path, stop: &Stop) -> Result<Option<Key>, Error> {
    let Some(file) = files::open(path)? else { return Ok(None) };
    let encrypted = Secret::read(file, LONGEST_ENCRYPTED).map_err(Error::io("read", path))?;
    let Some(encrypted) = encrypted else {
        return Err(Error::Refused { path: path.to_owned(), why: "it is too long for a credential".into() });
    };
    let said = creds(paths, fileset, "decrypt", encrypted, LONGEST, stop)?;
    if !said.ending.is_clean() {
        let (path, secret, fileset) = (path.to_owned(), paths.credential_secret(), fileset.clone());
        return Err(Error::Decrypt { path, said: last_words(&said), secret, fileset });
    }
    Key::of(said.stdout.as_ref()).map(Some).map_err(|why| {
        let place = format!("the credential {}", path.display());
        Error::Spoilt { place, why, fileset: fileset.clone() }
    })
}

/// The file's content for a key.
pub fn encrypt(paths: &Paths, fileset: &Name, path: &Path, key: &Key, stop: &Stop) -> Result<Secret, Error> {
    make_directory(paths).map_err(Error::io("make", paths.credentials()))?;
    let said = creds(paths, fileset, "encrypt", key.raw(), LONGEST_ENCRYPTED, stop)?;
    match said.stdout {
        Some(ref encrypted) if said.ending.is_clean() && !encrypted.is_empty() => {}
        _ => return Err(Error::Encrypt { path: path.to_owned(), said: last_words(&said) }),
    }
    said.stdout.ok_or_else(|| Error::Encrypt { path: path.to_owned(), said: String::new() })
}

fn make_directory(paths: &Paths) -> io::Result<()> {
    let directory = paths.credentials();
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    if paths.is_rooted()
        && let Some(parent) = paths.credential_secret().parent()
    {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Runs systemd-creds(1) as a filter. All files of a fileset's keys have the same name inside, so that one can take the
/// place of another by a rename.
fn creds(
    paths: &Paths,
    fileset: &Name,
    verb: &str,
    input: Secret,
    room: usize,
    stop: &Stop,
) -> Result<Whispered, Error> {
    let mut program = Program::find("systemd-creds")?.arg(verb).arg(format!("--name={CURRENT}{fileset}"));
    if verb == "encrypt" {
        // Bound to this machine's TPM where it has one, and not to the state of its firmware: an update of that would
        // lose every key.
        program = program.arg("--tpm2-pcrs=");
    }
    if paths.is_rooted() {
        program = program.env("SYSTEMD_CREDENTIAL_SECRET", paths.credential_secret());
    }
    let limits = Limits { stop, deadline: Some(Instant::now() + PATIENCE) };
    let said = program.args(["-", "-"]).stdin(Input::Secret(input)).listen(limits, room)?;
    if said.ending == Ending::Stopped { Err(Error::Stopped) } else { Ok(said) }
}

fn last_words(said: &Whispered) -> String {
    let text = String::from_utf8_lossy(&said.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let last = last.trim().trim_end_matches('.');
    if last.is_empty() { format!("systemd-creds {}", said.ending) } else { last.to_owned() }
}
