//! What one fileset's transfer is shown and may do beside what all transfers may.

use super::escape::quoted;
use super::line;
use crate::host::paths::{LOCAL_SOURCE, Paths};
use crate::transport::Transport;
use crate::transport::exec::settings::{ExtraPath, Settings as Exec, Snapshots};
use crate::transport::rsync::settings::Source;
use std::path::Path;

/// What a program asks of ZFS goes through it.
const ZFS: &str = "/dev/zfs";

/// Lines for its unit.
pub fn own(transport: &Transport) -> String {
    let mut text = String::new();
    for host in transport.known_hosts() {
        // The run makes it, of this host and the one before it, and lets the transfer write to it until there is a key in it.
        line(&mut text, "BindPaths", &optional(&Paths::new(None).known_hosts().join(host)));
    }
    text + &match transport {
        Transport::Rsync(settings) => of_rsync(&settings.source),
        Transport::Zfs(settings) => key(settings.login.identity.as_deref()),
        Transport::Exec(settings) => of_program(settings),
    }
}

fn of_rsync(source: &Source) -> String {
    let file = match source {
        Source::Ssh(ssh) => ssh.login.identity.as_deref(),
        Source::Daemon(daemon) => daemon.password_file.as_deref(),
        Source::Local(path) => {
            let source = quoted(path.as_str());
            return format!(
                "\
# The source is a path of this machine: to be read whoever it belongs to, and no network.
BindReadOnlyPaths={source}:{LOCAL_SOURCE}
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
AmbientCapabilities=CAP_DAC_READ_SEARCH
PrivateUsers=no
PrivateNetwork=yes
RestrictAddressFamilies=
RestrictAddressFamilies=AF_UNIX
"
            );
        }
    };
    key(file)
}

/// A file that opens the source.
fn key(file: Option<&Path>) -> String {
    let mut text = String::new();
    if let Some(file) = file {
        line(&mut text, "BindReadOnlyPaths", &optional(file));
    }
    text
}

fn of_program(settings: &Exec) -> String {
    let mut text = String::new();
    // What is below /usr is seen and can be run as it is.
    let program = Path::new(settings.command.program());
    if !program.starts_with("/usr") {
        line(&mut text, "BindReadOnlyPaths", &optional(program));
        line(&mut text, "ExecPaths", &optional(program));
    }
    let mut paths = settings.extra_paths.clone();
    let is_zfs = |extra: &ExtraPath| extra.path == Path::new(ZFS);
    if settings.snapshots == Snapshots::Own && !paths.iter().any(is_zfs) {
        // Without it there is no snapshot to make. What it may do with it zfs decides: nothing unless somebody allowed it.
        paths.push(ExtraPath { path: ZFS.into(), writable: true });
    }
    for extra in &paths {
        let key = if extra.writable { "BindPaths" } else { "BindReadOnlyPaths" };
        line(&mut text, key, &optional(&extra.path));
        if extra.path.starts_with("/dev") {
            let access = if extra.writable { "rw" } else { "r" };
            line(&mut text, "DeviceAllow", &format!("{} {access}", quoted(&extra.path.to_string_lossy())));
        }
    }
    if paths.iter().any(is_zfs) {
        text.push_str("# From a name space of users OpenZFS 2.2 and later shows no dataset, as if there were none.\nPrivateUsers=no\n");
    }
    text
}

/// A file that is missing must not keep the transfer from starting: the program says in its own words what is.
fn optional(path: &Path) -> String {
    quoted(&format!("-{}", path.to_string_lossy()))
}
