//! systemd, spoken to through its own programs.
//!
//! As root they reach it over its private socket, so all of this works without a bus daemon. Every call has a bound.
//! Waiting for a job is what `systemctl start` of a `Type=oneshot` unit does by itself; `--wait` would need the bus.

use super::process::{self, Captured, Ending, Limits, Program};
use super::signals::Stop;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// How long systemd may take for what it does at once. A daemon-reload of ten thousand units takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many units one call may name: far below what a command line may hold.
const AT_ONCE: usize = 500;

/// As an absolute calendar expression, systemd.time(7).
const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Program(#[from] process::Error),
    #[error("{command} {ending}{}", said(.stderr))]
    Failed { command: String, ending: Ending, stderr: String },
    #[error("failed to listen for nothing")]
    Stop(#[from] io::Error),
}

fn said(stderr: &str) -> String {
    let first = stderr.lines().next().unwrap_or_default();
    if first.is_empty() { String::new() } else { format!(": {first}") }
}

/// Whether systemd is what runs this machine, `sd_booted(3)`.
pub fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// What became of a unit that was started and waited for.
#[derive(Debug)]
pub struct Started {
    pub ending: Ending,
    /// What systemctl said.
    pub said: String,
}

/// Starts a unit and waits for its start job: of a `Type=oneshot` unit, for its end.
pub fn start_and_wait(unit: &str, limits: Limits<'_>) -> Result<Started, Error> {
    let done = systemctl(&["start", unit])?.capture(limits, 16 * 1024)?;
    Ok(Started { ending: done.ending, said: String::from_utf8_lossy(&done.stderr).trim().to_owned() })
}

/// Starts units without waiting for them.
pub fn start<S: AsRef<str>>(units: &[S]) -> Result<(), Error> {
    each(&["start", "--no-block", "--"], units)
}

/// Starts units and waits until that is done.
pub fn activate<S: AsRef<str>>(units: &[S]) -> Result<(), Error> {
    each(&["start", "--"], units)
}

pub fn restart<S: AsRef<str>>(units: &[S]) -> Result<(), Error> {
    each(&["restart", "--"], units)
}

/// Stops units and waits until they are. Those that systemd does not know are stopped already.
pub fn stop<S: AsRef<str>>(units: &[S]) -> Result<(), Error> {
    for units in units.chunks(AT_ONCE) {
        let command = systemctl(&["stop", "--"])?.args(units.iter().map(AsRef::as_ref));
        let done = bounded(command)?;
        // 5: "program not installed"; systemctl(1) says it of a unit that is not loaded.
        if !matches!(done.ending, Ending::Exited(0 | 5)) {
            return Err(failed("systemctl stop", &done));
        }
    }
    Ok(())
}

/// Makes systemd read its units, and run its generators, again.
pub fn reload() -> Result<(), Error> {
    each(&["daemon-reload"], &[""; 0])
}

fn each<S: AsRef<str>>(verb: &[&str], units: &[S]) -> Result<(), Error> {
    let call = |units: &[S]| {
        let command = systemctl(verb)?.args(units.iter().map(AsRef::as_ref));
        let done = bounded(command)?;
        if done.ending.is_clean() { Ok(()) } else { Err(failed(&format!("systemctl {}", verb[0]), &done)) }
    };
    if units.is_empty() && verb.contains(&"--") {
        return Ok(());
    }
    if units.is_empty() {
        return call(units);
    }
    units.chunks(AT_ONCE).try_for_each(call)
}

/// Properties of a unit, as `systemctl show` prints them: `Result=success`. What systemd does not know is not there.
pub fn show(unit: &str, properties: &[&str]) -> Result<HashMap<String, String>, Error> {
    let mut all = show_all(&[unit], properties)?;
    Ok(all.pop().unwrap_or_default())
}

/// Properties of many units, in their order.
pub fn show_all<S: AsRef<str>>(
    units: &[S],
    properties: &[&str],
) -> Result<Vec<HashMap<String, String>>, Error> {
    let mut all = Vec::new();
    let property = format!("--property={}", properties.join(","));
    for units in units.chunks(AT_ONCE) {
        let command = systemctl(&["show", &property, "--"])?.args(units.iter().map(AsRef::as_ref));
        let done = bounded(command)?;
        if !done.ending.is_clean() {
            return Err(failed("systemctl show", &done));
        }
        all.extend(blocks(&String::from_utf8_lossy(&done.stdout)));
    }
    Ok(all)
}

/// The output of `systemctl show`: a block of `Name=value` lines for each unit, blank lines between.
fn blocks(text: &str) -> Vec<HashMap<String, String>> {
    let properties = |block: &str| -> HashMap<String, String> {
        block
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(properties).collect()
}

/// The units that are loaded and match, with their active state, as
/// `systemctl list-units --all --plain --no-legend --full PATTERN` prints them.
pub fn list(pattern: &str) -> Result<Vec<(String, String)>, Error> {
    let command = systemctl(&["list-units", "--all", "--plain", "--no-legend", "--full", "--", pattern])?;
    let limits = bound()?;
    // Ten thousand lines of some hundred bytes.
    let done = command.capture(Limits { stop: &limits.0, deadline: Some(limits.1) }, 64 << 20)?;
    if !done.ending.is_clean() {
        return Err(failed("systemctl list-units", &done));
    }
    let text = String::from_utf8_lossy(&done.stdout);
    let unit = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next()?.to_owned();
        let active = fields.nth(1)?.to_owned();
        Some((name, active))
    };
    Ok(text.lines().filter_map(unit).collect())
}

/// Makes a timer that starts `service` once, at that very second, and is gone then.
///
/// The timer is called as the service, which has a unit file; one that is pending is replaced. A time that is past would
/// make a timer that never fires: ask for one ahead.
pub fn timer(service: &str, at: OffsetDateTime) -> Result<(), Error> {
    stop(&[format!("{}.timer", service.trim_end_matches(".service"))])?;
    let at = at.to_offset(time::UtcOffset::UTC);
    let moment = at.format(MOMENT).map_err(io::Error::other)?;
    let command = Program::find("systemd-run")?
        .args(["--quiet", "--timer-property=AccuracySec=1s"])
        .arg(format!("--on-calendar={moment}"))
        .arg(format!("--unit={service}"));
    let done = bounded(command)?;
    if done.ending.is_clean() { Ok(()) } else { Err(failed("systemd-run", &done)) }
}

/// Waits until journald has taken all that was sent to it, `journalctl --sync`. It finds out by the sender's process whose
/// unit a line is, and of one that has ended by then it is nobody's.
pub fn sync_journal() {
    let synced = Program::find("journalctl").map(|journalctl| bounded(journalctl.arg("--sync")));
    if let Err(error) | Ok(Err(Error::Program(error))) = synced {
        log::debug!("{error}");
    }
}

fn systemctl(args: &[&str]) -> Result<Program, Error> {
    Ok(Program::find("systemctl")?.arg("--no-ask-password").args(args))
}

fn bounded(command: Program) -> Result<Captured, Error> {
    let (stop, deadline) = bound()?;
    Ok(command.capture(Limits { stop: &stop, deadline: Some(deadline) }, 1 << 20)?)
}

/// Short calls are not interrupted: what they change is then known to be changed.
fn bound() -> Result<(Stop, Instant), Error> {
    Ok((Stop::new()?, Instant::now() + PATIENCE))
}

fn failed(command: &str, done: &Captured) -> Error {
    let stderr = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Error::Failed { command: command.to_owned(), ending: done.ending, stderr }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_for_each_unit() {
        let text = "Result=success\nExecMainStatus=0\nDescription=a=b\n\nResult=signal\nExecMainStatus=9\n";
        let blocks = blocks(text);
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0]["Description"], "a=b");
        assert_eq!(blocks[1]["Result"], "signal");
    }
}
