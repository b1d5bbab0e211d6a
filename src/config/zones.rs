//! Time zones by name, each read once: ten thousand filesets live in a handful of zones.

use crate::fileset::invalid::Invalid;
use crate::fileset::zone::Zone;
use crate::host::zoneinfo;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

/// The zones met so far, good and bad.
#[derive(Debug, Default)]
pub struct Zones {
    known: RefCell<HashMap<String, Result<Zone, Invalid>>>,
    local: OnceCell<Zone>,
}

impl Zones {
    pub fn named(&self, name: &str) -> Result<Zone, Invalid> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let loaded = zoneinfo::load(name);
        self.known.borrow_mut().insert(name.to_owned(), loaded.clone());
        loaded
    }

    /// The zone this machine lives in.
    pub fn local(&self) -> Zone {
        self.local.get_or_init(zoneinfo::local).clone()
    }
}
