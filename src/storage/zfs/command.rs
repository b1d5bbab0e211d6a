//! zfs and zpool, called with a bound.
//!
//! Nothing is asked of a pool that is suspended: what waits for its disks waits in the kernel, where nobody can end it. If
//! that befalls it while we wait, the bound is what gives up.

use super::error::Error;
use crate::host::process::{Ending, Input, Limits, Program};
use crate::host::secret::Secret;
use crate::host::signals::Stop;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// A pool that is busy takes its time: a change waits for what others are writing.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Who only looks has others waiting, and can say that there was no answer.
const LOOK: Duration = Duration::from_secs(5 * 60);

/// A name and two numbers for each snapshot of a large pool.
const LONGEST: usize = 256 << 20;

/// A directory for each pool that is imported.
const KSTAT: &str = "/proc/spl/kstat/zfs";

/// Runs `zfs` with these arguments, the last of which is what it is about, and gives what it printed.
pub fn zfs(arguments: &[&str]) -> Result<String, Error> {
    call("zfs", arguments, Input::Nothing, PATIENCE)
}

/// The same for who only looks.
pub fn look(arguments: &[&str]) -> Result<String, Error> {
    call("zfs", arguments, Input::Nothing, LOOK)
}

/// Asks `zpool` what the kernel knows of pools.
pub fn zpool(arguments: &[&str]) -> Result<String, Error> {
    call("zpool", arguments, Input::Nothing, LOOK)
}

/// Whether a pool was imported so that nothing can be written. Its file systems do not tell until they are mounted.
pub fn is_read_only(pool: &str) -> Result<bool, Error> {
    Ok(zpool(&["list", "-H", "-o", "readonly", pool])?.trim() == "on")
}

/// The same, with a key on its standard input.
pub fn zfs_with_key(arguments: &[&str], key: Secret) -> Result<String, Error> {
    call("zfs", arguments, Input::Secret(key), PATIENCE)
}

/// Makes sure that the pool answers. The kernel tells its state in a file, without a look at any disk or a wait for
/// whoever has one.
pub fn check_pool(filesystem: &str) -> Result<(), Error> {
    let pool = filesystem.split('/').next().unwrap_or(filesystem).to_owned();
    let path = Path::new(KSTAT).join(&pool).join("state");
    match fs::read_to_string(&path) {
        Ok(health) => match health.trim() {
            // What is left of a degraded pool works.
            "ONLINE" | "DEGRADED" => Ok(()),
            health => Err(Error::PoolDown { pool, health: health.to_owned() }),
        },
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("read", path)(error)),
        Err(_) if Path::new(KSTAT).is_dir() => Err(Error::NoPool { pool }),
        Err(_) => Err(Error::NotLoaded),
    }
}

/// What is begun is brought to its end: half of it done is what nobody wants. So these calls are not interrupted.
fn call(program: &str, arguments: &[&str], input: Input, patience: Duration) -> Result<String, Error> {
    let stop = Stop::new().map_err(Error::Listen)?;
    let limits = Limits { stop: &stop, deadline: Some(Instant::now() + patience) };
    let done = Program::find(program)?.args(arguments).stdin(input).capture(limits, LONGEST)?;
    let command = format!("{program} {}", arguments.first().unwrap_or(&""));
    match done.ending {
        Ending::Exited(0) => String::from_utf8(done.stdout)
            .map_err(|_| Error::NotUnderstood { said: "bytes that are no text".into() }),
        Ending::TimedOut => Err(Error::TooLong { command, minutes: patience.as_secs() / 60 }),
        ending => {
            let stderr = String::from_utf8_lossy(&done.stderr);
            Err(Error::of(command, arguments.last().unwrap_or(&""), ending, &stderr))
        }
    }
}

/// Whether we are in a name space of users, from where zfs shows what was given to that name space and nothing else, as if
/// the rest were not there (since 2.2; zfs-zone(8)).
pub fn is_confined() -> bool {
    // user_namespaces(7): only the first one has all users, as themselves.
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && map.split_whitespace().ne(["0", "0", "4294967295"])
}
