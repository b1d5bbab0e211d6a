//! Users of this machine.

use nix::unistd::{Gid, Uid, User};
use std::io;

/// Who files belong to and processes run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: Uid,
    pub gid: Gid,
}

impl Account {
    /// Who we are.
    pub fn own() -> Self {
        Self { uid: Uid::effective(), gid: Gid::effective() }
    }

    /// The user of that name, if there is one.
    pub fn of(name: &str) -> io::Result<Option<Self>> {
        Ok(User::from_name(name)?.map(|user| Self { uid: user.uid, gid: user.gid }))
    }
}
