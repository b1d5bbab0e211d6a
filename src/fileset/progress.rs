//! How far a transfer is, and what one came to.

use serde::{Deserialize, Serialize};

/// What a source holds, as counted by the transport: what the guard compares from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Files of every kind, directories too.
    pub files: u64,
    /// The sum of the regular files' sizes.
    pub bytes: u64,
}

/// What a finished transfer came to, as far as its transport could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Transferred {
    /// What the source holds now.
    pub totals: Option<Totals>,
    /// Regular files that were new or changed.
    pub files: Option<u64>,
    /// Bytes that came over the wire (or were read, from a local source).
    pub bytes: Option<u64>,
}

/// How far a transfer is. Every figure is what the transport knows at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes of the source dealt with so far.
    pub bytes: u64,
    /// From 0 to 1, absent as long as the end is not known.
    pub fraction: Option<f64>,
    /// Bytes a second, of late.
    pub rate: u64,
    /// Seconds left by the present rate, absent as long as the end is not known.
    pub eta_s: Option<u64>,
    /// Files looked at so far, and of how many; the second grows while the source is being listed.
    pub files: u64,
    pub of_files: u64,
}
