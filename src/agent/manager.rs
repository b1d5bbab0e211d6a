//! `org.planb.PlanB1.Manager`: all of it.

use super::record::Dictionary;
use super::{Common, Shared, escape, fileset, polkit};
use crate::status::StorageStatus;
use crate::status::storages::{self, Entry};
use std::collections::HashMap;
use std::sync::Arc;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, Value};
use zbus::{Connection, fdo, interface};

pub const INTERFACE: &str = "org.planb.PlanB1.Manager";

/// Name, type, level, what is wrong, bytes in all and left (0: not known).
type Storage = (String, String, String, Vec<String>, u64, u64);

/// What changes in its properties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    pub slots: u32,
    pub running: u32,
    /// Each file that is wrong, with what is.
    pub invalid: Vec<(String, String)>,
}

impl Figures {
    /// The properties that are different in `new`, as they are there.
    pub fn changes(&self, new: &Self) -> HashMap<&'static str, Value<'static>> {
        let mut changes = HashMap::new();
        if self.slots != new.slots {
            changes.insert("Slots", Value::from(new.slots));
        }
        if self.running != new.running {
            changes.insert("RunningCount", Value::from(new.running));
        }
        if self.invalid != new.invalid {
            changes.insert("InvalidConfigurations", Value::from(new.invalid.clone()));
        }
        changes
    }
}

pub struct Manager {
    pub common: Arc<Common>,
    pub figures: Arc<Shared<Figures>>,
}

#[interface(name = "org.planb.PlanB1.Manager")]
impl Manager {
    /// Makes systemd follow the configuration.
    async fn reload(
        &self,
        #[zbus(connection)] bus: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> fdo::Result<()> {
        polkit::may_manage(bus, &header).await?;
        fileset::systemd(bus, "StartUnit", "planb-reload.service").await
    }

    /// The object of the fileset of that name.
    fn get_fileset(&self, name: &str) -> fdo::Result<OwnedObjectPath> {
        let configuration = self.common.configuration();
        if configuration.fileset(name).is_none() && configuration.invalid(name).is_none() {
            return Err(fdo::Error::InvalidArgs(configuration.unknown(name)));
        }
        OwnedObjectPath::try_from(escape::path(name)).map_err(|error| fdo::Error::Failed(error.to_string()))
    }

    /// How the storages are that enabled filesets have, as they say now. Nothing tells when that changes, so it is no property.
    fn storages(&self) -> Vec<Storage> {
        let configuration = self.common.configuration();
        let of = |storage: &StorageStatus| {
            let Entry { name, kind, level, problems, total_bytes, available_bytes } = storage.entry();
            let (total, available) = (total_bytes.unwrap_or(0), available_bytes.unwrap_or(0));
            (name, kind.to_owned(), level.as_str().to_owned(), problems, total, available)
        };
        storages::of(&self.common.paths, &configuration.filesets).iter().map(of).collect()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    #[expect(clippy::unused_self, reason = "a property is a method of its object")]
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    #[zbus(property)]
    fn slots(&self) -> u32 {
        self.figures.part(|figures| figures.slots)
    }

    #[zbus(property)]
    fn running_count(&self) -> u32 {
        self.figures.part(|figures| figures.running)
    }

    #[zbus(property)]
    fn invalid_configurations(&self) -> Vec<(String, String)> {
        self.figures.part(|figures| figures.invalid.clone())
    }

    /// A run began; its record as it is then.
    #[zbus(signal)]
    pub async fn run_started(
        emitter: &SignalEmitter<'_>,
        fileset: ObjectPath<'_>,
        record: Dictionary,
    ) -> zbus::Result<()>;

    /// A run ended; its record.
    #[zbus(signal)]
    pub async fn run_finished(
        emitter: &SignalEmitter<'_>,
        fileset: ObjectPath<'_>,
        record: Dictionary,
    ) -> zbus::Result<()>;
}
