//! The keys of encrypted datasets: fetched when a dataset is opened, kept in memory for no longer than that takes, and
//! made only together with a dataset. Nothing here knows what they open.

use crate::fileset::key::KeySource;
use crate::fileset::name::Name;
use crate::host::paths::Paths;
use crate::host::signals::Stop;

/// The key of one fileset, not yet fetched.
#[derive(Debug, Clone)]
pub struct Keys {
    fileset: Name,
    source: KeySource,
}

/// 32 bytes that nobody may see.
pub struct Key {
    bytes: Vec<u8>,
}

/// Why there is no key to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

impl Keys {
    pub fn new(paths: &Paths, fileset: &Name, source: &KeySource) -> Self {
        Self { fileset: fileset.clone(), source: source.clone() }
    }

    /// The key; `None` where there is none yet.
    pub fn find(&self, stop: &Stop) -> Result<Option<Key>, Error> {
        unimplemented!()
    }

    /// A new key, safely kept before this returns. Refused where there is one.
    pub fn create(&self, stop: &Stop) -> Result<Key, Error> {
        unimplemented!()
    }

    /// Where the key is looked for, for people: what has to be restored when it is missing.
    pub fn place(&self) -> String {
        unimplemented!()
    }
}

impl Key {
    /// As `zfs load-key` reads a key of `keyformat=raw`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}
