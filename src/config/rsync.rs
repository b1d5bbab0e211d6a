//! The `[rsync]` table, judged.

use super::diagnostic::Diagnostic;
use super::keys::{self, Kind, Table};
use super::login;
use super::merged::Merged;
use super::zones::Zones;
use crate::transport::rsync::settings::{Daemon, Settings, Source, Ssh};

/// What a fileset's `[rsync]` table, with all it inherits, comes to.
pub fn judge(merged: &Merged<'_>, zones: &Zones, faults: &mut Vec<Diagnostic>) -> Option<Settings> {
    misplaced(merged, faults);
    // Only `true` and `false` are left out of the kind's decision: a wrong value is still to be told.
    merged.get(&keys::DAEMON_MODE, zones, faults);
    let source = source(merged, zones, faults);
    let include = merged.get(&keys::INCLUDE, zones, faults);
    if merged.find(&keys::INCLUDE).is_none() {
        let message = "`include` is missing: name what is backed up, as in include = [\"/etc\", \"/home\"], \
                       or all of it: [\"/\"]";
        faults.push(merged.at_table(Table::Rsync, message));
    }
    let exclude = merged.get(&keys::EXCLUDE, zones, faults);
    let bwlimit = merged.get(&keys::BWLIMIT, zones, faults);
    let vanished = merged.get(&keys::VANISHED, zones, faults);
    let metadata = merged.get(&keys::METADATA, zones, faults);
    let stall_timeout = merged.get(&keys::STALL_TIMEOUT, zones, faults);
    let flags = merged.get(&keys::FLAGS, zones, faults);
    Some(Settings {
        source: source?,
        include: include?,
        exclude: exclude?,
        bwlimit: bwlimit?,
        vanished: vanished?,
        metadata: metadata?,
        stall_timeout: stall_timeout?,
        flags: flags?,
    })
}

fn source(merged: &Merged<'_>, zones: &Zones, faults: &mut Vec<Diagnostic>) -> Option<Source> {
    match merged.kind {
        Kind::Local => {
            let path = merged.get(&keys::SOURCE, zones, faults)?;
            if let Some(quote) = path.as_str().chars().find(|c| matches!(c, '"' | '\'')) {
                let message = format!(
                    "{quote:?} cannot be in the path of a local source, which systemd cannot name in a sandbox: write a \
                     directory above as `source`, and the rest of the path as `include`"
                );
                faults.push(merged.blame(&keys::SOURCE, message));
            }
            Some(Source::Local(path))
        }
        Kind::Ssh => {
            let login = login::judge(merged, &login::OF_RSYNC, zones, faults);
            let path = merged.get(&keys::SOURCE, zones, faults);
            let sudo = merged.get(&keys::SUDO, zones, faults);
            let ionice = merged.get(&keys::IONICE, zones, faults);
            let rsync_path = merged.get(&keys::RSYNC_PATH, zones, faults);
            let do_not_run = merged.get(&keys::DO_NOT_RUN, zones, faults);
            Some(Source::Ssh(Ssh {
                login: login?,
                path: path?,
                sudo: sudo?,
                ionice: ionice?,
                rsync_path: rsync_path?,
                do_not_run: do_not_run?,
            }))
        }
        Kind::Daemon => {
            let host = merged.get(&keys::HOST, zones, faults);
            if merged.find(&keys::HOST).is_none() {
                let message =
                    "`host` is missing: an rsync daemon has one, as in host = \"nas1.acme.example\"";
                faults.push(merged.at_table(Table::Rsync, message));
            }
            let source = merged.get(&keys::DAEMON_SOURCE, zones, faults);
            if merged.find(&keys::DAEMON_SOURCE).is_none() {
                let message = "`source` is missing: name the daemon's module, as in source = \"module/path\"";
                faults.push(merged.at_table(Table::Rsync, message));
            }
            let user = merged.get(&keys::USER, zones, faults);
            let port = merged.get(&keys::PORT, zones, faults);
            let password_file = merged.get(&keys::PASSWORD_FILE, zones, faults);
            if password_file.is_some() && merged.find(&keys::USER).is_none() {
                faults.push(
                    merged.blame(&keys::PASSWORD_FILE, "a password needs its `user`: add user = \"...\""),
                );
            }
            Some(Source::Daemon(Daemon { host: host?, source: source?, user, port: port?, password_file }))
        }
    }
}

/// Keys that mean nothing for this kind of source.
fn misplaced(merged: &Merged<'_>, faults: &mut Vec<Diagnostic>) {
    for (&(table, name), written) in &merged.own.values {
        if table != Table::Rsync || keys::find(table, name).is_none_or(|key| key.is_for(merged.kind)) {
            continue;
        }
        let why = match merged.kind {
            Kind::Ssh => {
                "is for rsync daemons: this source is reached over ssh, since there is no daemon = true"
            }
            Kind::Daemon => "is for sources over ssh: this one is an rsync daemon",
            Kind::Local if name == keys::PASSWORD_FILE.name => {
                "is for rsync daemons: this source is a path of this machine, since there is no `host`"
            }
            Kind::Local => {
                "is for other hosts: this source is a path of this machine, since there is no `host`"
            }
        };
        faults.push(merged.own.document.cite(written.key.clone(), format!("`{name}` {why}")));
    }
}
