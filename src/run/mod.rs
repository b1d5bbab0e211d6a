//! The story of one backup (to be written).

pub mod slot;
