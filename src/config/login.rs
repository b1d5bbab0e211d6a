//! What the tables of transports over ssh say of the login, judged.

use super::diagnostic::Diagnostic;
use super::keys::{self, Key};
use super::merged::Merged;
use super::zones::Zones;
use crate::transport::ssh::login::Login;
use crate::transport::ssh::words::{Host, Jump, SshOption, User};
use std::path::PathBuf;

/// The keys of one table that say it.
pub struct Keys {
    pub host: Key<Host>,
    pub user: Key<User>,
    pub port: Key<u16>,
    pub identity: Key<PathBuf>,
    pub jump: Key<Jump>,
    pub options: Key<Vec<SshOption>>,
}

pub const OF_RSYNC: Keys = Keys {
    host: keys::HOST,
    user: keys::USER,
    port: keys::PORT,
    identity: keys::IDENTITY,
    jump: keys::JUMP,
    options: keys::SSH_OPTIONS,
};

pub const OF_ZFS: Keys = Keys {
    host: keys::ZFS_HOST,
    user: keys::ZFS_USER,
    port: keys::ZFS_PORT,
    identity: keys::ZFS_IDENTITY,
    jump: keys::ZFS_JUMP,
    options: keys::ZFS_SSH_OPTIONS,
};

pub fn judge(merged: &Merged<'_>, keys: &Keys, zones: &Zones, faults: &mut Vec<Diagnostic>) -> Option<Login> {
    let host = merged.get(&keys.host, zones, faults);
    let user = merged.get(&keys.user, zones, faults);
    let port = merged.get(&keys.port, zones, faults);
    let identity = merged.get(&keys.identity, zones, faults);
    let jump = merged.get(&keys.jump, zones, faults);
    let options = merged.get(&keys.options, zones, faults);
    Some(Login { host: host?, user: user?, port: port?, identity, jump, options: options? })
}
