//! What is known of filesets, brought together for people and programs. Reads only: configuration, records, the live
//! state, the storage's listing.

pub mod overview;
pub mod snapshots;
pub mod stale;
pub mod table;
