//! What holds for a fileset in the end, written as a drop-in, each value with where it came from.

use super::fileset::Fileset;
use super::keys::{self, AnyKey, KEYS, Table};
use super::merged::Merged;
use super::value::{Data, Value};
use super::written::Rank;
use crate::fileset::retention::Period;
use crate::fileset::schedule::Schedule;
use crate::storage;
use std::fmt::Write;

/// TOML that, as a drop-in of the same group, makes the same fileset.
pub fn effective(fileset: &Fileset, merged: &Merged<'_>) -> String {
    let mut lines: Vec<(Table, String, String)> = Vec::new();
    for key in KEYS.iter().filter(|key| key.id().0 >= Table::Fileset) {
        if let Some((value, origin)) = line(*key, fileset, merged) {
            lines.push((key.id().0, format!("{} = {value}", key.id().1), origin));
        }
    }
    let width =
        lines.iter().map(|(_, line, _)| line.chars().count()).filter(|&width| width < 48).max().unwrap_or(0);
    let mut text = String::new();
    let mut table = Table::Fileset;
    for (of, line, origin) in lines {
        // Writing to a string cannot fail.
        if of != table {
            table = of;
            let _ = writeln!(text, "\n[{}]", of.name());
        }
        let _ = writeln!(text, "{line:width$}  # {origin}");
    }
    text
}

/// A key's value and its origin, where it has any.
fn line(key: &dyn AnyKey, fileset: &Fileset, merged: &Merged<'_>) -> Option<(String, String)> {
    let table = key.id().0;
    let of_another = table.is_transport() && table.name() != fileset.transport.name();
    if of_another || table == Table::Rsync && !key.is_for(merged.kind) {
        return None;
    }
    // Another planb's datasets come with what is below them whatever is built in.
    let is_tagged = merged.find(&keys::DATASETS_FROM).is_some();
    if is_tagged && key.id() == (Table::Zfs, keys::RECURSIVE.name) {
        return None;
    }
    if let Some((layer, written)) = merged.find(key) {
        let origin = match layer.rank {
            Rank::BuiltIn => "built in".to_owned(),
            Rank::Own | Rank::Shared => {
                format!("{}:{}", layer.document.path.display(), layer.document.line(written.value.span.start))
            }
        };
        return Some((toml(&written.value), origin));
    }
    let encrypts = matches!(fileset.storage.settings, storage::Settings::Zfs { .. });
    let (value, origin) = match key.id().1 {
        "encryption" if encrypts => return Some(("false".to_owned(), "built in".to_owned())),
        "key" if fileset.encryption.is_some() => ("credential", "built in"),
        "storage" => (fileset.storage.name.as_str(), "the only one"),
        "dataset" => (fileset.dataset.as_str(), "the fileset's name"),
        "timezone" => (fileset.timezone.name(), "this machine's"),
        "schedule" => match &fileset.schedule {
            Schedule::Every(period) if fileset.retain.finest().is_some() => {
                (every(*period), "the finest period of `retain`")
            }
            Schedule::Every(period) => (every(*period), "built in, without `retain`"),
            Schedule::Calendar(_) => return None,
        },
        _ => return None,
    };
    Some((quoted(value), origin.to_owned()))
}

fn every(period: Period) -> &'static str {
    match period {
        Period::Hour => "hourly",
        Period::Day => "daily",
        Period::Week => "weekly",
        Period::Month => "monthly",
        Period::Year => "yearly",
    }
}

fn toml(value: &Value) -> String {
    match &value.data {
        Data::Text { text, .. } => quoted(text),
        Data::Number(number) => number.to_string(),
        Data::Flag(flag) => flag.to_string(),
        Data::List(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Data::Other(_) => String::new(),
    }
}

/// A TOML basic string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
