//! Tables and the words in them, for people.

pub mod snapshots;
pub mod table;
