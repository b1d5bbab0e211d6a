//! PlanB pulls the files of many hosts onto one backup host and keeps their history as snapshots.
//!
//! The rooms, outermost first; imports go down this list only.

mod cli;
mod config;
mod fileset;
mod history;
mod hooks;
mod host;
mod report;
mod run;
mod storage;
mod transport;

fn main() {}
