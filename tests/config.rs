//! The configuration from outside: what `planb check` says about trees of files as they lie on disk.
#![expect(clippy::disallowed_methods, reason = "tests run the program and read their own environment")]

#[path = "config/examples.rs"]
mod examples;
#[path = "config/golden.rs"]
mod golden;
#[path = "config/tree.rs"]
mod tree;
