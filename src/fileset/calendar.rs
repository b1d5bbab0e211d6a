//! Calendar expressions (to be written).
