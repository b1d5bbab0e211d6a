//! How a source's host is logged in to.

use super::words::{Host, Jump, SshOption, User};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What every transport over ssh says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub host: Host,
    pub user: User,
    pub port: u16,
    pub identity: Option<PathBuf>,
    pub jump: Option<Jump>,
    pub options: Vec<SshOption>,
}
