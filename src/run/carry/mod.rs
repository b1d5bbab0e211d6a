//! How a transfer is carried: by this process, or by a unit of systemd's that is not root and sees nothing but its own
//! dataset. What it came to is the same thing either way, and so is all of the story around it.

mod here;
mod inside;
pub mod job;
mod told;
mod unit;
mod variables;

pub(super) use here::{Scratch, tell};
pub use inside::carry as carry_inside;
pub use unit::{end, signal};

use super::Event;
use super::attempt::{Cut, Surroundings};
use crate::fileset::progress::Transferred;
use crate::fileset::workspace::Workspace;
use crate::host::account::Account;
use crate::storage::Storage;

/// Who does what talks to the source.
#[derive(Debug, Clone, Copy)]
pub enum Carrier {
    /// This process, with all that it may do.
    Here,
    /// The fileset's transfer unit, as this user.
    Unit(Account),
}

impl Carrier {
    /// The storage as this carrier needs it.
    pub fn fitting(self, storage: Storage) -> Storage {
        match self {
            Self::Here => storage,
            Self::Unit(account) => storage.filled_by(account),
        }
    }
}

/// Makes the workspace equal to the source.
pub fn transfer(
    s: &Surroundings<'_>,
    workspace: &Workspace,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<Transferred, Cut> {
    match s.host.carrier {
        Carrier::Here => here::transfer(s, workspace, watch),
        Carrier::Unit(account) => unit::transfer(s, account, workspace, watch),
    }
}
