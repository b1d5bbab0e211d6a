//! Pulls the files of many hosts onto one backup host and keeps their history as snapshots.
//!
//! The rooms, outermost first; imports go down this list only.

mod agent;
mod change;
mod cli;
mod config;
mod custody;
mod fileset;
mod generator;
mod history;
mod hooks;
mod host;
mod keys;
mod reload;
mod report;
mod run;
mod status;
mod storage;
mod transport;

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the arguments")]
fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}
