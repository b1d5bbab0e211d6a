//! What a program of the administrator's is told of its run, in its environment.
//!
//! Beside our own names stand those of the Python PlanB before us, so that scripts written for that one run unchanged.

use crate::fileset::name::{Group, Tag};
use crate::fileset::record::Outcome;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::paths::Paths;
use crate::host::random;
use crate::run::attempt::{Cut, Surroundings, name_at};
use crate::transport::Transport;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The variables; none for a transport that starts no program of the administrator's.
pub fn of(s: &Surroundings<'_>, workspace: &Workspace) -> Result<Vec<(String, String)>, Cut> {
    let Transport::Exec(_) = &s.fileset.transport else { return Ok(Vec::new()) };
    let guid = guid(s.host.paths).map_err(|error| {
        let path = s.host.paths.guid();
        Cut::new(Outcome::Failure, format!("failed to read or make {}: {error}", path.display()))
    })?;
    let (fileset, request, now) = (s.fileset, s.request, s.host.clock.now());
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let tags: Vec<&str> = fileset.tags.iter().map(Tag::as_str).collect();
    let snapshot = name_at(request, now).to_string();
    let (reference, writes) = match workspace.writes() {
        Writes::InPlace => (String::new(), "in-place"),
        Writes::Linked { reference } => (reference.as_deref().map(text).unwrap_or_default(), "linked"),
    };
    let name = fileset.name.to_string();
    Ok([
        ("PLANB_FILESET", name.clone()),
        ("PLANB_GROUP", fileset.group.as_ref().map(Group::to_string).unwrap_or_default()),
        ("PLANB_TAGS", tags.join(" ")),
        ("PLANB_RUN_ID", request.id.clone()),
        ("PLANB_TRIGGER", request.trigger.to_string()),
        ("PLANB_STARTED", now.unix_timestamp().to_string()),
        ("PLANB_SNAPSHOT", snapshot.clone()),
        ("PLANB_DATASET", fileset.dataset.to_string()),
        ("PLANB_WORKSPACE", text(workspace.path())),
        ("PLANB_WRITES", writes.to_owned()),
        ("PLANB_REFERENCE", reference),
        ("planb_guid", guid),
        ("planb_fileset_id", name.clone()),
        ("planb_fileset_friendly_name", name),
        ("planb_snapshot_target", snapshot),
        ("planb_storage_name", fileset.storage.settings.name_of(&fileset.dataset)),
        ("planb_storage_destination", text(workspace.path())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

/// This backup host's own id, made when it is asked for first.
fn guid(paths: &Paths) -> io::Result<String> {
    let path = paths.guid();
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        text => return text.map(|text| text.trim().to_owned()),
    }
    let new = path.with_extension(random::id()?);
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(&new)?;
    writeln!(file, "{}", random::uuid()?)?;
    file.sync_all()?;
    // Of two runs that make one at the same time both use the one that is there first.
    let made = fs::hard_link(&new, &path);
    fs::remove_file(&new)?;
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(fs::read_to_string(&path)?.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_this_host_stays_and_can_be_brought_along() {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(Some(root.path().into()));
        fs::create_dir_all(paths.state()).expect("a directory");
        let made = guid(&paths).expect("made");
        assert!(made.len() == 36 && made == guid(&paths).expect("read"), "{made}");
        assert_eq!(fs::read_dir(paths.state()).expect("listed").count(), 1);
        fs::write(paths.guid(), "of-an-earlier-planb\n").expect("written");
        assert_eq!(guid(&paths).expect("read"), "of-an-earlier-planb");
    }
}
