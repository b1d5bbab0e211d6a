//! PlanB on a computer of its own, with the systemd of each supported release: what an administrator would see there.
//!
//! The machines are those of tests/lab. Time is moved by calendars a few seconds ahead; nothing waits but for a thing to
//! be so, with a bound.
#![expect(clippy::disallowed_methods, reason = "tests run programs and read their own environment")]
#![expect(clippy::print_stderr, reason = "a test that cannot run says so")]

#[path = "systemd/authorize.rs"]
mod authorize;
#[path = "systemd/btrfs.rs"]
mod btrfs;
#[path = "systemd/bus.rs"]
mod bus;
#[path = "systemd/changes.rs"]
mod changes;
#[path = "systemd/exec.rs"]
mod exec;
#[path = "systemd/hard.rs"]
mod hard;
#[path = "systemd/hostile.rs"]
mod hostile;
#[path = "systemd/killed.rs"]
mod killed;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/lab.rs"]
mod lab;
#[path = "systemd/monitor.rs"]
mod monitor;
#[path = "systemd/package.rs"]
mod package;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/planb.rs"]
mod planb;
#[path = "systemd/reload.rs"]
mod reload;
#[path = "systemd/retry.rs"]
mod retry;
#[path = "systemd/runs.rs"]
mod runs;
#[path = "systemd/units.rs"]
mod units;
#[path = "systemd/zabbix.rs"]
mod zabbix;
