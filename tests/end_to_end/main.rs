//! The program as a person uses it: real rsync, real sshd, real rsync daemon, real file systems, real signals.
//!
//! Every test has a world of its own below a temporary directory. None waits for a clock: the hidden option `--now` sets
//! planb's, and what takes time is waited for by its effect, with a bound.
#![expect(
    clippy::disallowed_methods,
    reason = "tests from outside start programs and read their environment"
)]

mod faults;
mod guard;
mod history;
mod hooks;
mod hours;
mod names;
mod records;
mod rehearsal;
mod sharing;
mod stopping;
mod story;
mod usage;
mod world;

#[path = "../support/sshd.rs"]
mod sshd;
