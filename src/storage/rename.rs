//! A dataset that is to have another name, or another fileset.

use crate::fileset::name::{DatasetName, Name};
use serde::{Deserialize, Serialize};

/// A dataset of the fileset `old` that is to be `new`'s, and called `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    pub from: DatasetName,
    pub to: DatasetName,
    pub old: Name,
    pub new: Name,
}

impl Rename {
    /// Whether the dataset itself gets another name.
    pub fn moves(&self) -> bool {
        self.from != self.to
    }
}
