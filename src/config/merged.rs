//! The second of the three states: a fileset over its group over the defaults over its storage over what is built in,
//! each value with where it came from. Values replace each other whole: the most specific `exclude` is the one that holds, lists are not
//! joined.

use super::built_in::BuiltIn;
use super::diagnostic::Diagnostic;
use super::keys::{self, AnyKey, Key, Kind, Table};
use super::value::{Data, Value};
use super::written::{Layer, Named, Rank, Written};
use super::zones::Zones;
use std::collections::BTreeMap;

/// All that was said about one fileset.
#[derive(Debug)]
pub struct Merged<'a> {
    /// The drop-in.
    pub own: &'a Layer,
    pub kind: Kind,
    /// All layers, the most specific first.
    layers: Vec<&'a Layer>,
    /// What `[storage.NAME]` says of the datasets in it: less than anything that is said of filesets.
    storage: Option<&'a Layer>,
}

impl<'a> Merged<'a> {
    /// `shared`: the group's layer and the defaults', the more specific first.
    pub fn new(own: &'a Layer, shared: &[&'a Layer], built_in: &'a BuiltIn) -> Self {
        let daemon = own.get(&keys::DAEMON_MODE).map(|written| &written.value.data);
        let kind = match (daemon, own.get(&keys::HOST)) {
            (Some(Data::Flag(true)), _) => Kind::Daemon,
            (_, Some(_)) => Kind::Ssh,
            (_, None) => Kind::Local,
        };
        let mut merged = Self { own, kind, layers: [&[own], shared].concat(), storage: None };
        let as_root = |user: &dyn AnyKey| {
            let user = merged.find(user).map(|(_, written)| &written.value.data);
            matches!(user, Some(Data::Text { text, .. }) if text == "root")
        };
        let built_in = built_in.layers(kind, as_root(&keys::USER), as_root(&keys::ZFS_USER));
        merged.layers.extend(built_in);
        merged
    }

    /// With what the fileset's storage says: the one that is named, or the only one there is.
    #[must_use]
    pub fn in_one_of(self, storages: &'a BTreeMap<String, Named>) -> Self {
        let named = match self.find(&keys::STORAGE).map(|(_, written)| &written.value.data) {
            Some(Data::Text { text, .. }) => storages.get(text),
            Some(_) => None,
            None => storages.values().next().filter(|_| storages.len() == 1),
        };
        Self { storage: named.map(|named| &named.layer), ..self }
    }

    /// The value that wins, and whose it is. No key that a storage shares with filesets has a built-in value.
    pub fn find(&self, key: &dyn AnyKey) -> Option<(&'a Layer, &'a Written)> {
        let said = self
            .layers
            .iter()
            .filter(|layer| layer.rank != Rank::Shared || key.is_inherited(self.kind))
            .find_map(|layer| layer.values.get(&key.id()).map(|written| (*layer, written)));
        let (Table::Fileset, name) = key.id() else { return said };
        let of_storage =
            || self.storage.and_then(|layer| Some((layer, layer.values.get(&(Table::Storage, name))?)));
        said.or_else(of_storage)
    }

    /// The value that wins, as its type. Absent where nobody says anything, and where what they say is wrong: then
    /// `faults` has why.
    pub fn get<T>(&self, key: &Key<T>, zones: &Zones, faults: &mut Vec<Diagnostic>) -> Option<T> {
        let (layer, written) = self.find(key)?;
        key.read(layer, &written.value, zones).map_err(|found| faults.extend(found)).ok()
    }

    /// Complains at a table of the drop-in, about something that is missing in it.
    pub fn at_table(&self, table: Table, message: &str) -> Diagnostic {
        match self.own.tables.get(&table) {
            Some(header) => self.own.document.cite(header.clone(), message),
            None => Diagnostic::file(&self.own.document.path, message),
        }
    }

    /// Complains at the value that wins for `key`, or about the file where nobody says anything.
    pub fn blame(&self, key: &dyn AnyKey, message: impl Into<String>) -> Diagnostic {
        match self.find(key) {
            Some((layer, Written { value: Value { span, .. }, .. })) if layer.rank != Rank::BuiltIn => {
                layer.document.cite(span.clone(), message)
            }
            _ => Diagnostic::file(&self.own.document.path, message),
        }
    }
}
