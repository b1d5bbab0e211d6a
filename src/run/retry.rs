//! When a run that came to nothing is tried again, and the timer that does it.
//!
//! The time is exact, is told to whoever lists timers, and never lies in blacklisted hours. It is reckoned from the
//! record, so that it can be reckoned again after a reboot, which forgets such timers.

use crate::config::Fileset;
use crate::fileset::name::Name;
use crate::fileset::record::{Outcome, Record};
use crate::host::paths::Paths;
use crate::host::{lock, systemd};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration as Pause;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// The shortest pause that is chosen for a fileset that asks for none.
const SHORTEST: Pause = Pause::from_secs(60);
/// The part of a schedule's period that passes before another attempt.
const PART: u32 = 24;
/// Over how much of an opened window those who waited for it spread.
const SPREAD: Duration = Duration::minutes(30);
/// How far ahead a timer is set at least: one whose time is past would never fire.
const AHEAD: Duration = Duration::seconds(2);

/// When the fileset whose last run this was is tried again. `None`: by its schedule only.
pub fn due(fileset: &Fileset, run: &Record, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let outcome = run.result?;
    let again = match outcome {
        Outcome::Deferred | Outcome::Failure | Outcome::Timeout | Outcome::Killed => fileset.enabled,
        // Whoever stopped it did so on purpose.
        Outcome::Success | Outcome::Interrupted => false,
    };
    if !again {
        return None;
    }
    let ended = run.finished.unwrap_or(now);
    let (hours, zone) = (&fileset.blacklist_hours, &fileset.timezone);
    // What was deferred because of the hours, or could have been, waits for their end and not a moment longer.
    let wanted = if outcome == Outcome::Deferred && !hours.is_allowed(ended, zone) {
        ended
    } else {
        ended + pause(fileset)
    };
    let wanted = wanted.max(now + AHEAD);
    if hours.is_allowed(wanted, zone) {
        return Some(whole_second(wanted));
    }
    let opening = hours.next_open(wanted, zone)?;
    let open_for = hours.next_close(opening, zone).map_or(SPREAD, |closing| (closing - opening) / 2);
    Some(opening + share(&fileset.name, SPREAD.min(open_for)))
}

fn pause(fileset: &Fileset) -> Pause {
    match fileset.retry {
        Some(retry) => retry.duration(),
        None => (fileset.period() / PART).max(SHORTEST),
    }
}

/// Timers count whole seconds; rounding up keeps them behind what they wait for.
fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    let whole = at - Duration::nanoseconds(at.nanosecond().into());
    if whole == at { at } else { whole + Duration::SECOND }
}

/// A share of `span` in whole seconds that is the name's own, FNV-1a of 32 bits: the same each time, others for others.
fn share(name: &Name, span: Duration) -> Duration {
    let hash = name
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let seconds = span.whole_seconds().max(1);
    Duration::seconds(i64::from(hash) % seconds)
}

/// The unit that the timer starts, and that starts the fileset's run as a retry.
fn service(name: &Name) -> String {
    format!("planb-retry@{name}.service")
}

/// The timer's name.
pub fn timer(name: &Name) -> String {
    format!("planb-retry@{name}.timer")
}

fn note(paths: &Paths, name: impl AsRef<Path>) -> PathBuf {
    paths.runtime_dir("retry").join(name)
}

/// Sets the timer, and leaves a note of it for whoever shows the fileset.
pub fn set(paths: &Paths, name: &Name, at: OffsetDateTime) -> Result<(), systemd::Error> {
    systemd::timer(&service(name), at)?;
    let path = note(paths, name);
    let written = lock::directory(&paths.runtime_dir("retry"))
        .and_then(|()| at.format(&Rfc3339).map_err(io::Error::other))
        .and_then(|text| fs::write(&path, text));
    if let Err(error) = written {
        log::debug!("failed to write {}: {error}", path.display());
    }
    Ok(())
}

/// Takes the timer away, if there is one.
pub fn cancel(paths: &Paths, name: &Name) {
    // The note goes with its timer, so that most runs need not ask systemd.
    if fs::remove_file(note(paths, name)).is_err() {
        return;
    }
    if let Err(error) = systemd::stop(&[timer(name)]) {
        log::warn!("{name}: {} stays set: {error}", timer(name));
    }
}

/// Has the attempt that is still to come made by a fileset's new name.
pub fn rename(paths: &Paths, old: &Name, new: &Name, now: OffsetDateTime) -> Result<(), systemd::Error> {
    if let Some(at) = pending(paths, old, now) {
        set(paths, new, whole_second(at.max(now + AHEAD)))?;
    }
    cancel(paths, old);
    Ok(())
}

/// When the fileset is tried again, if that is still to come.
pub fn pending(paths: &Paths, name: &Name, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let text = fs::read_to_string(note(paths, name)).ok()?;
    OffsetDateTime::parse(text.trim(), &Rfc3339).ok().filter(|at| *at > now)
}

#[cfg(test)]
mod tests;
