//! The rsync transport: over ssh, from an rsync daemon, or from a path of this machine.

pub mod settings;
pub mod words;
