//! One step of a change. Each holds all that it takes, because the configuration that it was planned from may be half
//! changed by the time it is taken again; and each, taken again, finds what it did and goes on from there.

use super::{Hands, drop_in};
use crate::fileset::key::KeySource;
use crate::fileset::name::{Name, StorageName};
use crate::fileset::reason::chain;
use crate::history::{self, RenameError};
use crate::host::systemd;
use crate::keys::{self, Keys};
use crate::run::retry;
use crate::storage::{self, Rename, Settings, Storage};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A dataset gets the fileset's new name, or at least knows it.
    Dataset { storage: StorageName, settings: Settings, rename: Rename },
    /// A key goes where the new name says that it is.
    Key { from: KeyOf, to: KeyOf },
    /// Records of past runs.
    History { old: Name, new: Name },
    /// The next attempt after one that failed; without a new name there is none.
    Retry { old: Name, new: Option<Name> },
    /// A drop-in gets another name.
    Move { from: PathBuf, to: PathBuf },
    /// Files of other directories, which the one that was moved had covered, are hidden.
    Mask { file: PathBuf },
    /// A new drop-in.
    Write { file: PathBuf, text: String, mode: u32 },
}

/// Whose key, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyOf {
    pub fileset: Name,
    pub source: KeySource,
}

/// What stands in a step's way.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    History(#[from] RenameError),
    #[error(transparent)]
    Systemd(#[from] systemd::Error),
    #[error("{} is there by now, and is left as it is", .path.display())]
    InTheWay { path: PathBuf },
    #[error("failed to {what} {}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

impl KeyOf {
    fn keys(&self, hands: Hands<'_>) -> Keys {
        Keys::new(hands.paths, &self.fileset, &self.source)
    }
}

impl Step {
    /// Does it. Where it was done before, or half, the rest.
    pub fn take(&self, hands: Hands<'_>) -> Result<(), Error> {
        match self {
            Self::Dataset { settings, rename, .. } => Storage::new(settings, hands.paths).rename(rename)?,
            Self::Key { from, to } => from.keys(hands).become_those_of(&to.keys(hands), hands.stop)?,
            Self::History { old, new } => {
                for notice in history::rename(hands.paths, old, new, hands.now)? {
                    log::info!("{new}: {}", chain(&notice));
                }
            }
            Self::Retry { old, new: Some(new) } => retry::rename(hands.paths, old, new, hands.now)?,
            Self::Retry { old, new: None } => retry::cancel(hands.paths, old),
            Self::Move { from, to } => drop_in::rename(from, to)?,
            Self::Mask { file } => drop_in::mask(file)?,
            Self::Write { file, text, mode } => drop_in::write(file, text, *mode)?,
        }
        Ok(())
    }

    /// What it does, and what it did.
    pub fn words(&self) -> (String, String) {
        let (does, did, what) = match self {
            Self::Dataset { storage, rename, .. } if rename.moves() => {
                let what = format!("the dataset {} to {} in storage {storage}", rename.from, rename.to);
                ("rename", "renamed", what)
            }
            Self::Dataset { storage, rename, .. } => {
                let what = format!("the dataset {} in storage {storage} to {}", rename.from, rename.new);
                ("give", "gave", what)
            }
            Self::Key { from, to } => {
                ("give", "gave", format!("the key of {} to {}", from.fileset, to.fileset))
            }
            Self::History { old, new } => ("give", "gave", format!("the history of {old} to {new}")),
            Self::Retry { old, new: Some(new) } => {
                ("give", "gave", format!("the next attempt of {old} to {new}"))
            }
            Self::Retry { old, new: None } => ("cancel", "cancelled", format!("the next attempt of {old}")),
            Self::Move { from, to } => {
                ("rename", "renamed", format!("{} to {}", from.display(), to.display()))
            }
            Self::Mask { file } => {
                ("hide", "hid", format!("what other directories have for {}", file.display()))
            }
            Self::Write { file, .. } => ("write", "wrote", file.display().to_string()),
        };
        (format!("{does} {what}"), format!("{did} {what}"))
    }
}
