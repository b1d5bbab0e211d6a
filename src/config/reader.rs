//! From TOML to layers. Nothing stops at the first complaint: all errors of a file are found in one reading.

use super::diagnostic::Diagnostic;
use super::document::Document;
use super::keys::{self, AnyKey, KEYS, Table};
use super::suggest::nearest;
use super::value::Value;
use super::written::{Host, Layer, Named, Rank, Written};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Transports that have a name and not yet a body.
const PLANNED: [&str; 2] = ["kubernetes", "objects"];

/// So many errors of a kind are told one by one; a picture named .toml has a hundred thousand.
pub const ENOUGH: usize = 20;

/// Where a table stands, which decides what may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'n> {
    DropIn,
    Defaults,
    Group(&'n str),
    Storage(&'n str),
    Top,
}

/// Parses the text, or says all that keeps it from being TOML.
fn parse(document: &Document) -> Result<DeTable<'_>, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(&document.text);
    if errors.is_empty() {
        return Ok(table.into_inner());
    }
    let cite = |error: &toml::de::Error| match error.span() {
        Some(span) if error.message() == "duplicate key" => {
            let key = document.text.get(span.clone()).unwrap_or_default();
            document.cite(span, format!("`{key}` is written twice"))
        }
        Some(span) => document.cite(span, error.message()),
        None => Diagnostic::file(&document.path, error.message()),
    };
    let mut shown: Vec<Diagnostic> = errors.iter().take(ENOUGH).map(cite).collect();
    if errors.len() > ENOUGH {
        let message =
            format!("is not TOML: {} errors more than the {ENOUGH} shown here", errors.len() - ENOUGH);
        shown.push(Diagnostic::file(&document.path, message));
    }
    Err(shown)
}

/// Reads a drop-in, or says what keeps it from being TOML: what such a file leaves out is not known, and not worth
/// complaining about.
pub fn drop_in(document: &Arc<Document>) -> Result<Layer, Vec<Diagnostic>> {
    let table = parse(document)?;
    let mut layer = Layer::new(document, Rank::Own);
    fill(&mut layer, Place::DropIn, Table::Fileset, &table);
    Ok(layer)
}

/// Reads one of our own layers, written as a drop-in is.
pub fn built_in(document: &Arc<Document>) -> Layer {
    let mut layer = Layer::new(document, Rank::BuiltIn);
    match parse(document) {
        Ok(table) => fill(&mut layer, Place::DropIn, Table::Fileset, &table),
        Err(errors) => layer.faults = errors,
    }
    layer
}

/// Reads planb.toml.
pub fn host(document: &Arc<Document>) -> Host {
    let mut host = Host {
        top: Layer::new(document, Rank::Own),
        defaults: Layer::new(document, Rank::Shared),
        groups: BTreeMap::new(),
        storages: BTreeMap::new(),
        fatal: Vec::new(),
    };
    let table = match parse(document) {
        Ok(table) => table,
        Err(errors) => {
            host.fatal = errors;
            return host;
        }
    };
    for (key, value) in &table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("defaults", DeValue::Table(table)) => {
                fill(&mut host.defaults, Place::Defaults, Table::Fileset, table);
            }
            ("group", DeValue::Table(tables)) => {
                let read = |name: &str, table: &DeTable<'_>| {
                    let mut layer = Layer::new(document, Rank::Shared);
                    fill(&mut layer, Place::Group(name), Table::Fileset, table);
                    layer
                };
                host.groups = named(document, "group", tables, &mut host.fatal, read);
            }
            ("storage", DeValue::Table(tables)) => {
                let read = |name: &str, table: &DeTable<'_>| {
                    let mut layer = Layer::new(document, Rank::Own);
                    fill(&mut layer, Place::Storage(name), Table::Storage, table);
                    layer
                };
                host.storages = named(document, "storage", tables, &mut host.fatal, read);
            }
            (name @ ("defaults" | "group" | "storage"), _) => {
                let form = if name == "defaults" { "[defaults]".into() } else { format!("[{name}.NAME]") };
                let message = format!("`{name}` is a table in this file: write {form}");
                host.fatal.push(document.cite(key.span(), message));
            }
            (name, value) => match keys::find(Table::Host, name) {
                Some(known) => {
                    let id = known.id();
                    insert(&mut host.top, id, key.span(), value_of(document, &table, name));
                }
                // A whole table that nobody knows may be a misspelt [defaults]; a lone key is no fileset's business.
                None if value.is_table() => {
                    host.fatal.push(unknown(document, Place::Top, Table::Host, key, value, |_| false));
                }
                None => {
                    host.top.faults.push(unknown(document, Place::Top, Table::Host, key, value, |_| false));
                }
            },
        }
    }
    host
}

fn value_of(document: &Document, table: &DeTable<'_>, name: &str) -> Option<Value> {
    table.get(name).map(|value| Value::new(&document.text, value))
}

fn insert(layer: &mut Layer, id: (Table, &'static str), key: Range<usize>, value: Option<Value>) {
    if let Some(value) = value {
        layer.values.insert(id, Written { key, value });
    }
}

/// The tables `[WHAT.NAME]`.
fn named(
    document: &Document,
    what: &str,
    tables: &DeTable<'_>,
    fatal: &mut Vec<Diagnostic>,
    read: impl Fn(&str, &DeTable<'_>) -> Layer,
) -> BTreeMap<String, Named> {
    let mut all = BTreeMap::new();
    for (key, value) in tables {
        let name = key.get_ref().as_ref();
        if let DeValue::Table(table) = value.get_ref() {
            all.insert(name.to_owned(), Named { name: key.span(), layer: read(name, table) });
        } else {
            let message =
                format!("`{name}` must be inside of a {what} with a name: write [{what}.NAME] above it");
            fatal.push(document.cite(key.span(), message));
        }
    }
    all
}

/// Takes what is known from `table` into `layer`, and notes what is not.
fn fill(layer: &mut Layer, place: Place<'_>, kind: Table, table: &DeTable<'_>) {
    let document = Arc::clone(&layer.document);
    let shared = matches!(place, Place::Defaults | Place::Group(_));
    let (mut transports, mut untold) = (Vec::new(), 0_usize);
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let inner = if kind == Table::Fileset { Table::below(name) } else { None };
        let is_transport = inner.is_some_and(Table::is_transport);
        if let Some(inner) = inner {
            if let DeValue::Table(table) = value.get_ref() {
                layer.tables.insert(inner, header(&document, key, value));
                fill(layer, place, inner, table);
            } else {
                layer.has_strange_table |= is_transport;
                let message = format!("`{name}` is a table: write [{name}]");
                layer.faults.push(document.cite(key.span(), message));
            }
        }
        let known = keys::find(kind, name).filter(|known| !shared || known.is_shared());
        if is_transport || (kind == Table::Fileset && PLANNED.contains(&name)) {
            transports.push(key);
            layer.has_strange_table |= inner.is_none();
        } else if let Some(known) = known {
            insert(layer, known.id(), key.span(), Some(Value::new(&document.text, value)));
        } else if inner.is_none() {
            layer.has_strange_table |= value.get_ref().is_table();
            if layer.faults.len() < ENOUGH {
                let there = |of: Table| of.is_transport() && table.contains_key(of.name());
                layer.faults.push(unknown(&document, place, kind, key, value.get_ref(), there));
            } else {
                untold += 1;
            }
        }
    }
    if untold > 0 {
        layer.faults.push(Diagnostic::file(&document.path, format!("there are {untold} more unknown keys")));
    }
    transports.sort_by_key(|key| key.span().start);
    match transports.as_slice() {
        [first, second, ..] if !shared && layer.rank == Rank::Own => {
            let message = format!(
                "a fileset has exactly one transport: [{}] or [{}]",
                first.get_ref(),
                second.get_ref()
            );
            layer.faults.push(document.cite(second.span(), message));
        }
        keys => {
            for key in keys.iter().filter(|key| PLANNED.contains(&key.get_ref().as_ref())) {
                let message = format!(
                    "the transport [{}] is not supported by this version: use [rsync], [zfs] or [exec]",
                    key.get_ref()
                );
                layer.faults.push(document.cite(key.span(), message));
            }
        }
    }
}

/// The bytes of `[rsync]`, or of the key where the table is written another way.
fn header(document: &Document, key: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    let span = value.span();
    let is_header = document.text.get(span.clone()).is_some_and(|text| text.starts_with('['));
    if is_header && value.get_ref().is_table() { span } else { key.span() }
}

/// What somebody who wrote this key probably wanted. `there`: whether the file has that transport.
fn unknown(
    document: &Document,
    place: Place<'_>,
    table: Table,
    key: &Spanned<impl AsRef<str>>,
    value: &DeValue<'_>,
    there: impl Fn(Table) -> bool,
) -> Diagnostic {
    let name = key.get_ref().as_ref();
    let shared_only = matches!(place, Place::Defaults | Place::Group(_));
    let tables: &[&str] = match table {
        Table::Host => &["defaults", "group", "storage"],
        Table::Fileset => &["rsync", "zfs", "exec", "guard"],
        _ => &[],
    };
    let written = if value.is_table() { format!("table [{name}]") } else { format!("key `{name}`") };
    let elsewhere = |name: &str| {
        let mut called = KEYS.iter().filter(|key| key.id().1 == name);
        let here = called.clone().find(|key| there(key.id().0));
        here.or_else(|| called.next_back()).map(|key| home(place, table, key.id()))
    };
    let message = if let Some(home) = elsewhere(name) {
        format!("`{name}` {home}")
    } else if table == Table::Host && matches!(name, "rsync" | "zfs" | "guard") {
        format!("[{name}] belongs in a drop-in, or for all of them in [defaults.{name}]")
    } else if table == Table::Host && Table::below(name).is_some() {
        format!("[{name}] belongs in a drop-in")
    } else if table != Table::Host && matches!(name, "defaults" | "group" | "storage") {
        format!("[{name}] belongs in planb.toml")
    } else if let Some(meant) = nearest(name, keys::names(table, shared_only).chain(tables.iter().copied())) {
        let meant = if value.is_table() { format!("[{meant}]") } else { format!("`{meant}`") };
        format!("unknown {written}: did you mean {meant}?")
    } else if let Some(meant) = nearest(name, KEYS.iter().map(|key| key.id().1)) {
        let home = elsewhere(meant).unwrap_or_default();
        format!("unknown {written}: did you mean `{meant}`? It {home}")
    } else {
        format!("unknown {written}")
    };
    document.cite(key.span(), message)
}

/// Where a key that stands in the wrong place would be right, seen from there.
fn home(place: Place<'_>, table: Table, (right, name): (Table, &str)) -> String {
    let shared = keys::find(right, name).is_some_and(AnyKey::is_shared);
    let prefix = match place {
        Place::Defaults => "defaults.".to_owned(),
        Place::Group(group) => format!("group.{group}."),
        Place::DropIn | Place::Storage(_) | Place::Top => String::new(),
    };
    match (right, place) {
        (Table::Host, _) => "belongs at the top of planb.toml".into(),
        (Table::Storage, _) => "belongs in a [storage.NAME] table of planb.toml".into(),
        (_, Place::DropIn) if right == Table::Fileset => {
            "belongs at the top of the file, above the first [table]".into()
        }
        (_, Place::Defaults | Place::Group(_)) if !shared => {
            "is each fileset's own word: it belongs in a drop-in".into()
        }
        (_, Place::Top | Place::Storage(_)) if shared => {
            let inner = right.name();
            format!(
                "belongs in a drop-in, or for all of them in [defaults{}{inner}]",
                if inner.is_empty() { "" } else { "." }
            )
        }
        (_, Place::Top | Place::Storage(_)) => "belongs in a drop-in".into(),
        _ if right == Table::Fileset && table != right => {
            format!("belongs in [{}], above", prefix.trim_end_matches('.'))
        }
        _ => format!("belongs in [{prefix}{}]", right.name()),
    }
}
