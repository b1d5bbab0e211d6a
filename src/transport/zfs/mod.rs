//! The zfs transport: datasets of another host's pools, sent by its zfs and received by ours.
//!
//! Here is what happens at the source, and only that: whoever does it talks to the network and is not root. It takes
//! orders and gives answers ([`wire`]); what is received, kept and destroyed here is decided by who gives the orders.

pub mod settings;
#[cfg_attr(not(test), expect(dead_code, reason = "its two sides come next"))]
pub mod wire;

use super::Failure;

/// Datasets are received, and no directory is filled.
pub(super) fn not_into_a_directory() -> Failure {
    Failure::failed("datasets of ZFS are received by the run, not into a directory")
}
