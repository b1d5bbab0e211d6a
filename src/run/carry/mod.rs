//! How a transfer is carried: by this process, or by a unit of systemd's that is not root and sees nothing but its own
//! dataset. What it came to is the same thing either way, and so is all of the story around it.

mod here;
mod inside;
pub mod job;
pub mod pipes;
mod place;
mod said;
mod serve;
pub mod talk;
#[cfg(test)]
mod tests;
mod told;
mod unit;
mod variables;

pub(super) use here::{Scratch, tell};
pub use inside::carry as carry_inside;
pub use unit::{end, signal};

use super::Event;
use super::attempt::{Cut, Surroundings};
use crate::config::Fileset;
use crate::fileset::name::Name;
use crate::fileset::progress::Transferred;
use crate::fileset::replica::CopyId;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::account::Account;
use crate::host::paths::Paths;
use crate::storage::Storage;
use said::Ear;
use std::path::{Path, PathBuf};
use talk::{Broken, Talk};

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

/// Logs what the transfer unit of a run that is gone still had to say. `fileset` is absent where its configuration is by now.
pub fn relay_rest(paths: &Paths, name: &Name, fileset: Option<&Fileset>, id: &str) {
    relay(&mut Ear::new(paths, name, id), name, fileset, true);
}

/// Logs what a transfer unit has said since, as the run's own and yet told apart from what the run itself says: its
/// words are those of who talks to the network. `over`: it will say no more.
fn relay(ear: &mut Ear, name: &Name, fileset: Option<&Fileset>, over: bool) {
    ear.listen(over, |level, text| {
        let text = fileset.map_or_else(|| text.to_owned(), |f| place::outside(&f.transport, text));
        log::log!(level, PLANB_FROM = "transfer"; "{name}: {text}");
    });
}

/// Lets a run talk with its hands at the source, for as long as `talk` does. `path`: where what they send will be.
pub fn converse<T>(
    s: &Surroundings<'_>,
    copy: CopyId,
    path: &Path,
    watch: &mut dyn FnMut(Event<'_>),
    talk: impl FnOnce(&mut Talk<'_>) -> Result<T, Broken>,
) -> Result<T, Cut> {
    let workspace = Workspace::new(path.to_owned(), Writes::InPlace);
    match s.host.carrier {
        Carrier::Here => here::converse(s, copy, &workspace, watch, talk),
        Carrier::Unit(account) => unit::converse(s, account, copy, &workspace, watch, talk),
    }
}

/// Where the pipes to a fileset's transfer unit are.
pub fn pipes_of(paths: &Paths, fileset: &Name) -> PathBuf {
    paths.runtime_dir("pipes").join(fileset)
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
