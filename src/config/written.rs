//! The first of the three states: what one file, or one table of planb.toml, says. Nothing is merged or judged here.

use super::diagnostic::Diagnostic;
use super::document::Document;
use super::keys::{Key, Table};
use super::value::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What a drop-in, `[defaults]`, `[group.NAME]`, `[storage.NAME]` or the top of planb.toml says.
#[derive(Debug)]
pub struct Layer {
    pub document: Arc<Document>,
    pub rank: Rank,
    pub values: BTreeMap<(Table, &'static str), Written>,
    /// The tables that are there, with their headers' bytes.
    pub tables: BTreeMap<Table, Range<usize>>,
    /// Whether there is a table that we do not know: perhaps what was meant to be the transport.
    pub has_strange_table: bool,
    /// What is wrong with the layer as such, whatever is used of it: keys nobody knows, a table that is none.
    pub faults: Vec<Diagnostic>,
}

/// One `key = value`.
#[derive(Debug)]
pub struct Written {
    /// The key's bytes in the document.
    pub key: Range<usize>,
    pub value: Value,
}

/// Whose word a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// A drop-in's, or that of a table that is merged with nothing.
    Own,
    /// A group's or the defaults'.
    Shared,
    /// Ours.
    BuiltIn,
}

impl Layer {
    pub fn new(document: &Arc<Document>, rank: Rank) -> Self {
        Self {
            document: Arc::clone(document),
            rank,
            values: BTreeMap::new(),
            tables: BTreeMap::new(),
            has_strange_table: false,
            faults: Vec::new(),
        }
    }

    pub fn get<T>(&self, key: &Key<T>) -> Option<&Written> {
        self.values.get(&(key.table, key.name))
    }
}

/// What planb.toml says.
#[derive(Debug)]
pub struct Host {
    /// The top of the file.
    pub top: Layer,
    pub defaults: Layer,
    pub groups: BTreeMap<String, Named>,
    pub storages: BTreeMap<String, Named>,
    /// After these nobody can tell what any fileset was meant to inherit.
    pub fatal: Vec<Diagnostic>,
}

/// A table with a name of the administrator's.
#[derive(Debug)]
pub struct Named {
    /// The name's bytes in the document.
    pub name: Range<usize>,
    pub layer: Layer,
}
