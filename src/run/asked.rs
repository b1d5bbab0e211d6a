//! What somebody asked of a run that a unit is to make: `requests/NAME.json`, written by who starts the unit, consumed
//! by the run. A unit's start takes no arguments.
//!
//! Only root reads and writes here. A request that no run took within minutes is void: it was for a run that never
//! came, and must not surprise a later one.

use crate::fileset::name::Name;
use crate::fileset::record::Trigger;
use crate::fileset::snapshot::Label;
use crate::host::paths::Paths;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use time::{Duration, OffsetDateTime};

/// How long a request stands.
const STANDS: Duration = Duration::minutes(2);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub trigger: Trigger,
    pub keep: Option<String>,
    pub accept_shrink: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Asked {
    pub fn new(trigger: Trigger, keep: Option<&Label>, accept_shrink: bool, at: OffsetDateTime) -> Self {
        Self { trigger, keep: keep.map(ToString::to_string), accept_shrink, at }
    }

    /// Leaves the request for the run that is started next.
    pub fn leave(&self, paths: &Paths, fileset: &Name) -> io::Result<()> {
        let path = path(paths, fileset);
        DirBuilder::new().recursive(true).mode(0o700).create(paths.runtime_dir("requests"))?;
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(&new, &path)
    }
}

/// Takes the request for this run, if somebody left one.
pub fn take(paths: &Paths, fileset: &Name, now: OffsetDateTime) -> Option<Asked> {
    let path = path(paths, fileset);
    let bytes = fs::read(&path).ok()?;
    // Gone before it is obeyed: no request is obeyed twice.
    fs::remove_file(&path).ok()?;
    let asked: Asked = serde_json::from_slice(&bytes).ok()?;
    ((now - asked.at).abs() <= STANDS).then_some(asked)
}

/// Takes a request back that no run will take.
pub fn withdraw(paths: &Paths, fileset: &Name) {
    let _ = fs::remove_file(path(paths, fileset));
}

fn path(paths: &Paths, fileset: &Name) -> PathBuf {
    paths.runtime_dir("requests").join(format!("{fileset}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_request_is_obeyed_once_and_not_late() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(Some(dir.path().into()));
        let name: Name = "web1".parse().expect("a name");
        let now = datetime!(2026-01-02 03:04 UTC);
        let label: Label = "before-upgrade".parse().expect("a label");
        let asked = Asked::new(Trigger::Manual, Some(&label), true, now);
        assert_eq!(take(&paths, &name, now), None);
        asked.leave(&paths, &name).expect("written");
        assert_eq!(take(&paths, &name, now + Duration::SECOND), Some(asked.clone()));
        assert_eq!(take(&paths, &name, now), None);
        asked.leave(&paths, &name).expect("written");
        assert_eq!(take(&paths, &name, now + Duration::HOUR), None);
        assert_eq!(take(&paths, &name, now), None, "a void one is gone, too");
    }
}
