//! Snapshot names (to be written).
