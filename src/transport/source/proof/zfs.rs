//! What a source allows of zfs.

use super::{Answer, Proof, Temptation, stderr};
use crate::host::process::{Captured, Ending};
use crate::transport::zfs::command::{self, SUDO, ZFS};
use crate::transport::zfs::selection::Selection;
use crate::transport::zfs::settings::{Datasets, Settings};
use crate::transport::zfs::{Hands, wire::CopyId};
use crate::transport::{Event, Job};

/// Whether the source's datasets can be backed up: by doing all that a run does there, and undoing it.
pub fn may(
    settings: &Settings,
    job: &Job<'_>,
    tell: &mut dyn FnMut(Event),
    mut has: impl FnMut(Proof) -> bool,
) -> bool {
    let user = settings.login.user.as_str();
    // A dataset's GUID is never zero: nobody's snapshots are called like those of this copy.
    let mut hands = match Hands::reach(settings, CopyId(0), job) {
        Ok(hands) => hands,
        Err(failure) => {
            let what = format!("{user} may log in");
            return has(Proof { what, wrong: Some(failure.reason) });
        }
    };
    hands.rehearse(tell, &mut |what, wrong| has(Proof { what: format!("{user} may {what}"), wrong }))
}

/// A command that is allowed.
pub fn allowed(settings: &Settings) -> String {
    match &settings.datasets {
        Datasets::Named(Selection { selected, recursive, .. }) => {
            let of: Vec<_> = selected.iter().map(|selected| &selected.dataset).collect();
            command::list(&of, *recursive).into_iter().next().unwrap_or_default()
        }
        Datasets::Tagged { tag, .. } => command::ask(tag),
    }
}

pub fn temptations(settings: &Settings) -> Vec<Temptation> {
    let dataset = match &settings.datasets {
        Datasets::Named(Selection { selected, .. }) => {
            selected.first().map_or("", |selected| selected.dataset.as_str())
        }
        // Whatever planb keeps there, this it does not.
        Datasets::Tagged { .. } => "planb-check-none/none",
    };
    let pool = dataset.split('/').next().unwrap_or_default();
    // What is not there cannot be lost.
    let (none, name) = (format!("{dataset}/planb-check-none"), "planb-19700101T000000Z-0000000000000000");
    let zfs = |what: &str, arguments: String| Temptation {
        what: what.to_owned(),
        options: &[],
        command: Some(format!("{ZFS} {arguments}")),
        input: b"",
        allowed: run,
    };
    vec![
        zfs("destroy a dataset: zfs destroy", format!("destroy {none}")),
        Temptation {
            command: Some(format!("{SUDO}{ZFS} destroy {none}")),
            ..zfs("destroy a dataset as root: sudo zfs destroy", String::new())
        },
        zfs("destroy others' snapshots: zfs destroy", format!("destroy {none}@planb-check-none")),
        zfs("destroy snapshots of all that is below: zfs destroy -r", format!("destroy -r {none}@{name}")),
        zfs("write: zfs receive", format!("receive {none}")),
        zfs("turn back: zfs rollback", format!("rollback {none}@{name}")),
        zfs("change a property: zfs set", format!("set mountpoint=none {none}")),
        zfs("send another dataset: zfs send", format!("send -vP {pool}-planb-check-none@{name}")),
    ]
}

/// Of zfs, which says that it knows no such dataset.
fn run(said: &Captured) -> Answer {
    let text = stderr(said);
    let refused = [
        "planb: not allowed here",
        "permission denied",
        "a password is required",
        "is not allowed to",
        "not found",
    ];
    match said.ending {
        Ending::Exited(255) => Answer::Unknown,
        Ending::Exited(_) if refused.iter().any(|words| text.contains(words)) => Answer::Refused,
        Ending::Exited(0) => Answer::Allowed,
        Ending::Exited(_) => Answer::Run,
        _ => Answer::Unknown,
    }
}
