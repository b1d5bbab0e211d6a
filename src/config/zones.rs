//! Time zones by name, each read once: ten thousand filesets live in a handful of zones.

use crate::fileset::invalid::Invalid;
use crate::fileset::zone::Zone;
use crate::host::zoneinfo;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The zones met so far, good and bad.
#[derive(Debug, Default)]
pub struct Zones {
    known: Mutex<HashMap<String, Result<Zone, Invalid>>>,
    local: OnceLock<Zone>,
}

impl Zones {
    pub fn named(&self, name: &str) -> Result<Zone, Invalid> {
        // Nobody can leave the map half changed: a lock that a panic poisoned is as good as any.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            return known.clone();
        }
        known.entry(name.to_owned()).or_insert(zoneinfo::load(name)).clone()
    }

    /// The zone this machine lives in.
    pub fn local(&self) -> Zone {
        self.local.get_or_init(zoneinfo::local).clone()
    }
}
