//! Retention (to be written).
use super::invalid::Invalid;
use std::str::FromStr;

/// A calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// What to keep: `24h,16d,4w,12m,2y`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retention {}

impl Retention {
    /// The finest period with a rule: the default schedule.
    pub fn finest(&self) -> Option<Period> {
        None
    }
}
impl FromStr for Retention {
    type Err = Invalid;
    fn from_str(_text: &str) -> Result<Self, Invalid> {
        Ok(Self {})
    }
}
