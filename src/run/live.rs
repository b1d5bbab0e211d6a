//! The live state of a running fileset, for whoever asks how it goes. A reboot forgets it, and nothing depends on it:
//! that a run is under way is decided by its process, that a fileset is taken by its lock.

use crate::fileset::name::Name;
use crate::fileset::progress::Progress;
use crate::fileset::record::Trigger;
use crate::host::paths::Paths;
use crate::host::presence::Presence;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};
use time::OffsetDateTime;

/// How often progress is written down at most.
const PACE: Duration = Duration::from_secs(1);

/// What a run says of itself while it is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub id: String,
    pub fileset: Name,
    pub trigger: Trigger,
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    pub process: Option<Presence>,
    pub phase: Phase,
    pub progress: Option<Progress>,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It waits for a slot.
    Queued,
    Transferring,
    /// Guard, snapshot, retention.
    Finishing,
}

impl Live {
    /// What the fileset's run says of itself, if there is one under way.
    pub fn read(paths: &Paths, fileset: &Name) -> Option<Self> {
        let live: Self = serde_json::from_slice(&fs::read(file(paths, fileset)).ok()?).ok()?;
        live.process.is_some_and(Presence::is_alive).then_some(live)
    }
}

/// What every run says of itself that is under way, by name.
pub fn all(paths: &Paths) -> Vec<Live> {
    let entries = fs::read_dir(paths.runtime_dir("live")).into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok());
    let mut live: Vec<Live> = names.filter_map(|name: Name| Live::read(paths, &name)).collect();
    live.sort_by(|one, other| one.fileset.cmp(&other.fileset));
    live
}

/// Keeps the live state on disk up to date; dropping it takes the state away.
#[derive(Debug)]
pub struct Teller {
    live: Live,
    path: PathBuf,
    told: Instant,
}

impl Teller {
    /// Says that the run has begun. What another run left behind is replaced.
    pub fn begin(paths: &Paths, live: Live) -> io::Result<Self> {
        let path = file(paths, &live.fileset);
        crate::host::lock::directory(path.parent().unwrap_or(Path::new("/")))?;
        let teller = Self { live, path, told: Instant::now() };
        teller.write()?;
        Ok(teller)
    }

    pub fn phase(&mut self, phase: Phase) {
        self.live.phase = phase;
        self.tell();
    }

    /// Notes how far it is, at most once a second.
    pub fn progress(&mut self, progress: Progress) {
        self.live.progress = Some(progress);
        if self.told.elapsed() >= PACE {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        // A full or read-only /run costs a look at the progress, never the backup.
        if let Err(error) = self.write() {
            log::debug!("failed to write {}: {error}", self.path.display());
        }
    }

    fn write(&self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&self.live)?)?;
        fs::rename(&new, &self.path)
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Takes away what a killed run left.
pub fn clear(paths: &Paths, fileset: &Name) {
    let _ = fs::remove_file(file(paths, fileset));
}

fn file(paths: &Paths, fileset: &Name) -> PathBuf {
    paths.runtime_dir("live").join(format!("{fileset}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn live(process: Option<Presence>) -> Live {
        Live {
            id: "0".repeat(32),
            fileset: "web1".parse().expect("a name"),
            trigger: Trigger::Manual,
            started: datetime!(2026-01-02 03:04 UTC),
            process,
            phase: Phase::Queued,
            progress: None,
        }
    }

    #[test]
    fn only_a_run_that_lives_is_seen() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(Some(dir.path().into()));
        let name = "web1".parse().expect("a name");
        assert_eq!(Live::read(&paths, &name), None);

        let own = Presence::own();
        let mut teller = Teller::begin(&paths, live(own)).expect("a writable directory");
        teller.phase(Phase::Transferring);
        assert_eq!(Live::read(&paths, &name).map(|l| l.phase), Some(Phase::Transferring));
        drop(teller);
        assert_eq!(Live::read(&paths, &name), None);

        let gone = own.map(|own| Presence { started: own.started + 1, ..own });
        let _left_behind = Teller::begin(&paths, live(gone)).expect("a writable directory");
        assert_eq!(Live::read(&paths, &name), None);
    }
}
