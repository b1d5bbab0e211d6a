//! The nouns: what a fileset is made of, each word a type of its own that cannot hold a wrong value.
//!
//! Everything in this room is pure: no file, no clock, no environment, no process. Text, times and zone data come in
//! as arguments. Two rules follow: every type checks its own syntax in `FromStr` (the error says what would be right),
//! and nothing here knows where a value came from.

pub mod calendar;
pub mod command;
pub mod hours;
pub mod invalid;
pub mod key;
pub mod name;
pub mod progress;
pub mod quantity;
pub mod reason;
pub mod record;
pub mod replica;
pub mod retention;
pub mod schedule;
pub mod snapshot;
pub mod word;
pub mod workspace;
pub mod zfs;
pub mod zone;
