//! How data gets from a source into a workspace. One variant per transport, each with its own settings; none knows
//! what storage the workspace belongs to.

pub mod rsync;

/// A fileset's transport, as configured and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    Rsync(rsync::settings::Settings),
}
