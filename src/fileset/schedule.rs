//! When a fileset is backed up (to be written).
use super::hours::BlacklistHours;
use super::invalid::Invalid;
use super::retention::Period;
use super::zone::Zone;
use std::str::FromStr;

/// `hourly`, `daily`, `weekly`, `monthly`, `yearly` (we choose the exact time) or a systemd calendar expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    Every(Period),
    Calendar(String),
}

impl Schedule {
    /// Refuses a schedule that never fires outside the blacklist hours.
    pub fn check(&self, _hours: &BlacklistHours, _zone: &Zone) -> Result<(), Invalid> {
        Ok(())
    }
}
impl FromStr for Schedule {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(Self::Calendar(text.to_owned()))
    }
}
