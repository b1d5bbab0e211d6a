//! PlanB on real OpenZFS, of each supported release, in a virtual machine: what an administrator would see there.
#![expect(clippy::disallowed_methods, reason = "tests run programs and read their own environment")]
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

#[path = "zfs/changes.rs"]
mod changes;
#[path = "zfs/copies.rs"]
mod copies;
#[path = "zfs/encrypted.rs"]
mod encrypted;
#[path = "zfs/health.rs"]
mod health;
#[path = "zfs/keys.rs"]
mod keys;
#[path = "zfs/kills.rs"]
mod kills;
#[path = "support/lab.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod lab;
#[path = "zfs/lost.rs"]
mod lost;
#[path = "zfs/own.rs"]
mod own;
#[path = "support/planb.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod planb;
#[path = "zfs/pool.rs"]
mod pool;
#[path = "zfs/replication.rs"]
mod replication;
#[path = "zfs/runs.rs"]
mod runs;
#[path = "zfs/source.rs"]
mod source;
#[path = "zfs/trouble.rs"]
mod trouble;
