//! The story of one backup (to be written).

pub mod guard;
pub mod live;
pub mod slot;
