//! zfs(8), called with a bound.
//!
//! Nothing is asked of a pool that is suspended: what waits for its disks waits in the kernel, where nobody can end it. If
//! that befalls it while we wait, the bound is what gives up.

use super::Error;
use crate::host::process::{Captured, Input, Limits, Program};
use crate::host::secret::Secret;
use crate::host::signals::Stop;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a question may take. Thousands of snapshots are listed from disks that have other work.
const ANSWER: Duration = Duration::from_secs(5 * 60);

/// How long a change may take: it has to wait for what others are writing.
const CHANGE: Duration = Duration::from_secs(30 * 60);

/// Twenty thousand lines of a hundred bytes are two megabytes.
const LONGEST: usize = 64 << 20;

/// One directory for each pool that is imported.
const KSTAT: &str = "/proc/spl/kstat/zfs";

/// Whether a pool can be asked and told anything. A file of the kernel's that is read without a look at any disk.
pub fn ready(pool: &str) -> Result<(), Error> {
    let path = Path::new(KSTAT).join(pool).join("state");
    let pool = pool.to_owned();
    match fs::read_to_string(&path) {
        Ok(state) => match state.trim() {
            "ONLINE" | "DEGRADED" => Ok(()),
            "SUSPENDED" => Err(Error::Suspended { pool }),
            state => Err(Error::Unusable { pool, state: state.to_owned() }),
        },
        Err(error) if error.kind() == ErrorKind::NotFound && Path::new(KSTAT).is_dir() => {
            Err(Error::NoPool { pool })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NotLoaded),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

/// What a question came to, whether it was answered or not.
pub fn ask(arguments: &[&str]) -> Result<Captured, Error> {
    call(arguments, None, ANSWER)
}

/// The answer to a question about `filesystem`.
pub fn answer(filesystem: &str, arguments: &[&str]) -> Result<String, Error> {
    let done = ask(arguments)?;
    if done.ending.is_clean() { Ok(text(&done.stdout)) } else { Err(failed(filesystem, arguments, &done)) }
}

/// What a change came to, whether it was made or not.
pub fn attempt(arguments: &[&str], key: Option<Secret>) -> Result<Captured, Error> {
    call(arguments, key, CHANGE)
}

/// Changes something of `filesystem`.
pub fn change(filesystem: &str, arguments: &[&str], key: Option<Secret>) -> Result<(), Error> {
    let done = attempt(arguments, key)?;
    if done.ending.is_clean() { Ok(()) } else { Err(failed(filesystem, arguments, &done)) }
}

/// The error of a call that did not end well.
pub fn failed(filesystem: &str, arguments: &[&str], done: &Captured) -> Error {
    Error::of(format!("zfs {}", arguments.join(" ")), filesystem, done)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Short calls are not interrupted: what they change is then known to be changed.
fn call<S: AsRef<OsStr>>(arguments: &[S], key: Option<Secret>, patience: Duration) -> Result<Captured, Error> {
    let stop = Stop::new().map_err(Error::io("make", "a pair of sockets"))?;
    let limits = Limits { stop: &stop, deadline: Some(Instant::now() + patience) };
    let input = key.map_or(Input::Nothing, Input::Secret);
    Ok(Program::find("zfs")?.args(arguments).stdin(input).capture(limits, LONGEST)?)
}
