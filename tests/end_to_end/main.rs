//! The program as a person uses it: real rsync, real sshd, real rsync daemon, real file systems, real signals.
//!
//! Every test has a world of its own below a temporary directory. None waits for a clock: the hidden option `--now` sets
//! planb's, and what takes time is waited for by its effect, with a bound.
//!
//! | what is promised | where it is tried |
//! | --- | --- |
//! | what a run makes and prints, every field of the JSON, exit codes | `story`, `usage` |
//! | one bad file stops no other | `story` |
//! | stopping, killing, resuming; nothing of a dead run goes on | `stopping` |
//! | one run of a fileset, slots, slots of a source, who goes first | `sharing` |
//! | broken and stalled connections, full storages, vanished, growing, unreadable files, swapped links | `faults` |
//! | strange names, devices, links, holes, owners, ACLs, attributes come back | `names` |
//! | snapshots do not change | `history`, `stopping` |
//! | max-shrink, min-free | `guard` |
//! | retention: what is shown, what is done, what is never touched | `story` |
//! | troubles with the history | `records` |
//! | blacklist hours, deferrals, do-not-run.d | `hours` |
//! | programs of the administrator as transport: environment, reports, ends | `exec` |
//! | monitoring: never good by accident, late, lost, not pruned; what Zabbix and Prometheus read | `monitor`, `metrics`, `zabbix` |
//! | hooks: order, masks, environment, failing and hanging ones | `hooks` |
//! | dry runs | `rehearsal`, `story` |
//! | another name, a copy, an end; what is left of those that had one | `changes` |
//! | a btrfs: what a change costs, a disk that is not there, no privilege | `btrfs` |
//!
//! The overall timeout and the hooks' take a minute at least; they are tried where they can be shorter, in the program's
//! own tests.
#![expect(
    clippy::disallowed_methods,
    reason = "tests from outside start programs and read their environment"
)]

mod btrfs;
mod changes;
mod exec;
mod faults;
mod guard;
mod history;
mod hooks;
mod hours;
mod metrics;
mod monitor;
mod names;
mod records;
mod rehearsal;
mod sharing;
mod stopping;
mod story;
mod usage;
mod world;
mod zabbix;

#[expect(dead_code, reason = "other tests need other hands of it")]
#[path = "../support/sshd.rs"]
mod sshd;
