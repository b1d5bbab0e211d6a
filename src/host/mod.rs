//! The outside world: processes, locks, signals, the clock, zone files, where PlanB's own files are.
//!
//! The only room that touches the system on behalf of the others. It knows nothing of filesets or backups.

pub mod account;
pub mod clock;
pub mod events;
pub mod headway;
pub mod lock;
pub mod mounts;
pub mod output;
pub mod paths;
pub mod presence;
pub mod process;
pub mod random;
pub mod secret;
pub mod signals;
pub mod stat;
pub mod status;
pub mod systemd;
pub mod threads;
pub mod zoneinfo;
