//! zfs and zpool, called. Every call has a bound, and none is made that a pool which has lost its disks would hang.

use super::error::Error;
use crate::host::process::{Ending, Input, Limits, Program};
use crate::host::secret::Secret;
use crate::host::signals::Stop;
use std::time::{Duration, Instant};

/// A pool that is busy takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// A name and two numbers for each snapshot of a large pool.
const LONGEST: usize = 256 << 20;

/// Runs `zfs` with these arguments, and gives what it printed.
pub fn zfs(arguments: &[&str]) -> Result<String, Error> {
    call("zfs", arguments, Input::Nothing)
}

/// The same, with a key on its standard input.
pub fn zfs_with_key(arguments: &[&str], key: Secret) -> Result<String, Error> {
    call("zfs", arguments, Input::Secret(key))
}

/// Makes sure that the pool answers: what is asked of one that is suspended never comes back. `zpool list` asks no disk.
pub fn check_pool(filesystem: &str) -> Result<(), Error> {
    let pool = filesystem.split('/').next().unwrap_or(filesystem);
    match call("zpool", &["list", "-H", "-o", "health", pool], Input::Nothing) {
        Ok(health) => match health.trim() {
            // What is left of a degraded pool works.
            "ONLINE" | "DEGRADED" => Ok(()),
            health => Err(Error::PoolDown { pool: pool.into(), health: health.into() }),
        },
        Err(Error::Failed { said, .. }) if said.contains("no such pool") => {
            Err(Error::NoPool { pool: pool.into() })
        }
        Err(error) => Err(error),
    }
}

/// What is begun is brought to its end: half of it done is what nobody wants. So these calls are not interrupted.
fn call(program: &str, arguments: &[&str], input: Input) -> Result<String, Error> {
    let stop = Stop::new().map_err(Error::Listen)?;
    let limits = Limits { stop: &stop, deadline: Some(Instant::now() + PATIENCE) };
    let done = Program::find(program)?.args(arguments).stdin(input).capture(limits, LONGEST)?;
    let command = || format!("{program} {}", arguments.first().unwrap_or(&""));
    match done.ending {
        Ending::Exited(0) => String::from_utf8(done.stdout)
            .map_err(|_| Error::NotUnderstood { said: "bytes that are no text".into() }),
        Ending::TimedOut => Err(Error::TooLong { command: command(), seconds: PATIENCE.as_secs() }),
        ending => {
            let said = String::from_utf8_lossy(&done.stderr);
            let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(2);
            Err(Error::Failed { command: command(), ending, said: said.collect::<Vec<_>>().join(" ") })
        }
    }
}
