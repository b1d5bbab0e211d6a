//! A run whose datasets come whole from the pools of another host.

pub mod plan;
