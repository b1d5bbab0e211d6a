//! Where the key of an encrypted dataset comes from.

use std::path::PathBuf;

/// Where a fileset's key is kept, once all that varies by fileset is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// systemd's store of encrypted credentials.
    Credential,
    /// A file, as existing key trees have it.
    File(PathBuf),
    /// What a program prints, a vault's client for example.
    Command(Vec<String>),
}
