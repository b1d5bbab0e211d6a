//! What a source allows of rsync.

use super::{Proof, Temptation, greeting};
use crate::transport::rsync::settings::{Settings, Ssh};
use crate::transport::rsync::{self, admission};
use crate::transport::{Event, Job};

/// Whether the source can be read.
pub fn may(
    settings: &Settings,
    ssh: &Ssh,
    job: Job<'_>,
    tell: &mut dyn FnMut(Event),
    mut has: impl FnMut(Proof) -> bool,
) -> bool {
    let (user, path) = (ssh.login.user.as_str(), ssh.path.as_str());
    let what = format!("{user} may read {path}{}", if ssh.sudo { ", as root" } else { "" });
    let wrong = rsync::knock(settings, job, tell).err().map(|failure| failure.reason);
    has(Proof { what, wrong })
}

/// A command that is allowed.
pub fn allowed(ssh: &Ssh) -> String {
    let path = ssh.path.as_str().trim_end_matches('/');
    format!("{} --server --sender -re.iLsfxCIvu . {path}/", admission::program(ssh))
}

pub fn temptations(ssh: &Ssh) -> Vec<Temptation> {
    let rsync = admission::program(ssh);
    let path = ssh.path.as_str().trim_end_matches('/');
    let server = |what: &str, arguments: String| Temptation {
        what: what.to_owned(),
        options: &[],
        command: Some(format!("{rsync} {arguments}")),
        input: b"",
        allowed: greeting,
    };
    let mut all = vec![
        server("write: rsync's receiving side", "--server -re.iLsfxCIvu . /tmp/planb-check/".into()),
        server(
            "write a log file: rsync --log-file",
            // The program ends before it opens that file where its directory is not there.
            format!("--server --sender -re.iLsfxCIvu --log-file=/tmp/planb-check/none/log . {path}/"),
        ),
        server(
            "delete: rsync --remove-source-files",
            format!("--server --sender -re.iLsfxCIvu --remove-source-files . {path}/"),
        ),
        Temptation {
            // The arguments come after the greeting was asked for.
            input: b"rsync\0--server\0--sender\0-re.iLsfxCIvu\0.\0/\0\0",
            ..server(
                "hide arguments: rsync --secluded-args",
                format!("--server --sender -se.LsfxCIvu . {path}/"),
            )
        },
    ];
    if !path.is_empty() {
        all.insert(1, server("read beside that", "--server --sender -re.iLsfxCIvu . /".into()));
    }
    all
}
