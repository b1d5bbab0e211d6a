//! The history under trouble: damaged, full, read-only, newer, killed in the middle, written by many.

use super::*;
use crate::fileset::progress::{Totals, Transferred};
use crate::fileset::record::{Outcome, Trigger};
use crate::host::process::{Ending, Limits, Program};
use crate::host::signals::Stop;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use time::macros::datetime;

mod faults;
mod processes;
mod questions;
mod streaks;
mod versions;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

/// A private world.
struct World {
    paths: Paths,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self { paths: Paths::new(Some(dir.path().to_owned())), _dir: dir }
    }

    fn db(&self) -> PathBuf {
        self.paths.history()
    }

    fn ids(&self) -> Vec<String> {
        let (runs, _) = ask(&self.paths, NOW, |history| history.runs(None, None)).expect("it can be read");
        runs.into_iter().map(|run| run.id).collect()
    }

    /// Files of the state directory, by name.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.paths.state())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a good name")
}

/// A run of `fileset` that began `minute` minutes after midnight, with nothing special to it.
fn run(fileset: &str, minute: u32, outcome: Outcome) -> Record {
    let started = datetime!(2026-01-01 00:00:00.123456789 UTC) + Duration::from_secs(60 * u64::from(minute));
    let success = outcome == Outcome::Success;
    let totals = Totals { files: 1000 + u64::from(minute), bytes: u64::MAX >> 1 };
    Record {
        id: format!("{fileset}{minute}"),
        fileset: name(fileset),
        group: Some("acme".parse().expect("a good group")),
        tags: vec!["double-backup".parse().expect("a good tag"), "gold".parse().expect("a good tag")],
        trigger: Trigger::Timer,
        started,
        finished: Some(started + Duration::from_secs(30)),
        result: Some(outcome),
        error: (!success).then(|| "failed to connect: \"no\" route 🙁".to_owned()),
        exit_code: Some(if success { 0 } else { 255 }),
        snapshot: success.then(|| "planb-20260101T0000Z".to_owned()),
        dataset: fileset.parse().expect("a good name"),
        path: success.then(|| "/srv/backups/it's here/data".into()),
        transferred: success.then_some(Transferred { totals: Some(totals), files: Some(7), bytes: Some(0) }),
        destroyed: vec!["planb-20250101T0000Z".to_owned()],
    }
}

/// The same run, not ended.
fn open(run: &Record) -> Record {
    Record { finished: None, result: None, error: None, exit_code: None, ..run.clone() }
}

/// Keeps the record of a fileset's first run.
fn keep_first(paths: &Paths, run: &Record) -> Vec<Notice> {
    keep(paths, &Last::begin(None, run.clone()).end(run.clone()), NOW)
}

fn texts(notices: &[Notice]) -> String {
    notices.iter().flat_map(|notice| [notice.to_string(), "\n".into()]).collect()
}
