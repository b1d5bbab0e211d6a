//! Which timers systemd has.

use crate::fileset::name::Name;
use crate::host::systemd;
use std::collections::HashSet;

/// What is known of the timers of all filesets.
#[derive(Debug)]
pub enum Timers {
    /// Nothing starts by itself here, or nobody wants to know.
    None,
    /// Those that wait for their time.
    Waiting(HashSet<String>),
    /// systemd could not be asked, and why.
    Unseen(String),
}

impl Timers {
    pub fn look() -> Self {
        match systemd::list("planb@*.timer") {
            Ok(units) => {
                let waiting = units.into_iter().filter(|(_, state)| state == "active");
                Self::Waiting(waiting.map(|(unit, _)| unit).collect())
            }
            Err(error) => Self::Unseen(error.to_string()),
        }
    }

    /// Whether the fileset is started by itself, as far as can be told.
    pub fn starts(&self, fileset: &Name) -> bool {
        match self {
            Self::Waiting(waiting) => waiting.contains(&format!("planb@{fileset}.timer")),
            Self::None | Self::Unseen(_) => true,
        }
    }
}
