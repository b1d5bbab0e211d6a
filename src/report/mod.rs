//! Tables and the words in them, for people.

pub mod metrics;
pub mod screen;
pub mod snapshots;
pub mod stale;
pub mod table;
