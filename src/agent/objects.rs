//! `org.freedesktop.DBus.ObjectManager`: all filesets in one answer, and which of them come and go.
//!
//! zbus has one of its own, which makes a copy of every value of every object first: megabytes, which then stay with us. This
//! one writes the answer as it goes.

use super::Shared;
use super::fileset::INTERFACE;
use super::shown::Shown;
use serde::ser::{Error, Serialize, SerializeMap, Serializer};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use zbus::interface;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, Signature, Type, Value};

/// The objects of all filesets by their paths, each with what it shows.
pub type Objects = BTreeMap<Arc<str>, Arc<Shared<Arc<Shown>>>>;

pub struct ObjectManager {
    pub objects: Arc<Shared<Objects>>,
}

#[interface(name = "org.freedesktop.DBus.ObjectManager")]
impl ObjectManager {
    fn get_managed_objects(&self) -> Managed {
        let of = |(path, shown): (&Arc<str>, &Arc<Shared<Arc<Shown>>>)| (Arc::clone(path), shown.get());
        Managed(self.objects.part(|objects| objects.iter().map(of).collect()))
    }

    #[zbus(signal)]
    pub async fn interfaces_added(
        emitter: &SignalEmitter<'_>,
        object: ObjectPath<'_>,
        interfaces: HashMap<&str, BTreeMap<&'static str, Value<'_>>>,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub async fn interfaces_removed(
        emitter: &SignalEmitter<'_>,
        object: ObjectPath<'_>,
        interfaces: &[&str],
    ) -> zbus::Result<()>;
}

/// Objects, their interfaces, their properties. They are written twice, once to be measured: nothing in them may change in
/// between, not even its place.
pub struct Managed(Vec<(Arc<str>, Arc<Shown>)>);

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
            let path = ObjectPath::try_from(&**path).map_err(S::Error::custom)?;
            all.serialize_entry(&path, &HashMap::from([(INTERFACE, shown.properties())]))?;
        }
        all.end()
    }
}
