//! Who needs a dataset to be open, and what for.

use crate::host::presence::Presence;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Somebody who needs a dataset to be open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub errand: Errand,
    /// A person's name; of a run none.
    pub who: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// It lasts as long as this lives; absent: until somebody closes the dataset.
    pub process: Option<Presence>,
}

/// What a dataset is open for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Errand {
    /// A backup.
    Run,
    /// A shell to look around in, or another look.
    Look,
    /// Whatever a person who opened it wants.
    Open,
}

/// What closing a dataset for people came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shut {
    Closed,
    WasClosed,
    /// These are in it, and nothing was changed.
    InUse(Vec<User>),
    /// It was mounted by other hands, and stays so.
    ByOtherHands,
    /// Here a dataset is always open.
    NeverClosed,
}
