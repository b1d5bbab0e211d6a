//! Blacklist hours (to be written).
use super::invalid::Invalid;
use std::str::FromStr;

/// The hours in which no backup starts by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlacklistHours {}

impl BlacklistHours {
    /// All of the given ones together.
    pub fn union(self, _other: &Self) -> Self {
        self
    }
}
impl FromStr for BlacklistHours {
    type Err = Invalid;
    fn from_str(_text: &str) -> Result<Self, Invalid> {
        Ok(Self {})
    }
}
