//! `org.freedesktop.DBus.ObjectManager`: all filesets in one answer, and which of them come and go.
//!
//! zbus has one of its own, which makes a copy of every value of every object first: megabytes, which then stay with us. This
//! one writes the answer as it goes.

use super::Shared;
use super::fileset::INTERFACE;
use super::shown::Shown;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use zbus::interface;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, Signature, Type, Value};

/// The objects of all filesets, each with what it shows.
pub type Objects = BTreeMap<OwnedObjectPath, Arc<Shared<Shown>>>;

pub struct ObjectManager {
    pub objects: Arc<Shared<Objects>>,
}

#[interface(name = "org.freedesktop.DBus.ObjectManager")]
impl ObjectManager {
    fn get_managed_objects(&self) -> Managed {
        Managed(self.objects.get())
    }

    #[zbus(signal)]
    pub async fn interfaces_added(
        emitter: &SignalEmitter<'_>,
        object: ObjectPath<'_>,
        interfaces: HashMap<&str, HashMap<&'static str, Value<'static>>>,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub async fn interfaces_removed(
        emitter: &SignalEmitter<'_>,
        object: ObjectPath<'_>,
        interfaces: &[&str],
    ) -> zbus::Result<()>;
}

/// Objects, their interfaces, their properties.
pub struct Managed(Objects);

impl Type for Managed {
    const SIGNATURE: &'static Signature = <HashMap<
        ObjectPath<'static>,
        HashMap<&'static str, HashMap<&'static str, Value<'static>>>,
    >>::SIGNATURE;
}

impl Serialize for Managed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_map(Some(self.0.len()))?;
        for (path, shown) in &self.0 {
            all.serialize_entry(path, &HashMap::from([(INTERFACE, shown.get().properties())]))?;
        }
        all.end()
    }
}
