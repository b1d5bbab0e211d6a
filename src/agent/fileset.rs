//! `org.planb.PlanB1.Fileset`: one fileset.

use super::record::{Dictionary, dictionary};
use super::shown::{Shown, epoch};
use super::{Common, Shared, polkit};
use crate::config::{Configuration, Fileset as Configured};
use crate::fileset::reason::chain;
use crate::history;
use crate::report::snapshots::{self, Entry};
use crate::storage::Storage;
use std::collections::HashMap;
use std::sync::Arc;
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};
use zbus::{Connection, fdo, interface};

pub const INTERFACE: &str = "org.planb.PlanB1.Fileset";

/// The most runs that one answer holds.
const MOST_RUNS: u32 = 1000;

/// Name, time, kind, reasons it is kept, bytes used and referenced (0: not known), path of the files as they were.
type Snapshot = (String, u64, String, Vec<String>, u64, u64, String);

pub struct Fileset {
    pub common: Arc<Common>,
    pub shown: Arc<Shared<Arc<Shown>>>,
}

/// Writes the table of properties as the methods that the bus calls.
macro_rules! properties {
    ({ $($methods:tt)* } $($field:ident: $type:ty;)*) => {
        #[interface(name = "org.planb.PlanB1.Fileset")]
        impl Fileset {
            $($methods)*
            $(#[zbus(property)]
            fn $field(&self) -> $type {
                self.shown.part(|shown| shown.$field.clone())
            })*
        }
    };
}

properties! {
    {
        /// Starts a run now. No option is known yet: one that is asked for is an error, and never left out.
        async fn run(
            &self,
            options: HashMap<String, OwnedValue>,
            #[zbus(connection)] bus: &Connection,
            #[zbus(header)] header: Header<'_>,
        ) -> fdo::Result<()> {
            polkit::may_manage(bus, &header).await?;
            if let Some(option) = options.keys().next() {
                return Err(fdo::Error::NotSupported(match option.as_str() {
                    "keep" | "accept-shrink" => {
                        format!("{option:?} is for root alone: planb run --{option}")
                    }
                    _ => format!("there is no option {option:?}"),
                }));
            }
            let name = &self.called();
            if !self.configured(&self.common.configuration())?.enabled {
                return Err(fdo::Error::Failed(format!("{name} is disabled")));
            }
            if self.shown.get().is_live() {
                return Err(fdo::Error::Failed(format!("{name} is being backed up already")));
            }
            systemd(bus, "StartUnit", &format!("planb@{name}.service")).await
        }

        /// Stops the run that goes on; what came so far is kept for the next one.
        async fn stop(
            &self,
            #[zbus(connection)] bus: &Connection,
            #[zbus(header)] header: Header<'_>,
        ) -> fdo::Result<()> {
            polkit::may_manage(bus, &header).await?;
            self.named()?;
            systemd(bus, "StopUnit", &format!("planb@{}.service", self.called())).await
        }

        /// What retention destroys, and what it keeps, each with its reasons. Unless that is all that is asked for, it is
        /// destroyed now.
        #[zbus(out_args("destroyed", "kept"))]
        async fn prune(
            &self,
            dry: bool,
            #[zbus(connection)] bus: &Connection,
            #[zbus(header)] header: Header<'_>,
        ) -> fdo::Result<(Vec<String>, Vec<(String, Vec<String>)>)> {
            let (gone, stay): (Vec<Entry>, Vec<Entry>) =
                self.listed()?.into_iter().partition(|entry| entry.keep.is_empty());
            if !dry {
                polkit::may_manage(bus, &header).await?;
                systemd(bus, "StartUnit", &format!("planb-prune@{}.service", self.called())).await?;
            }
            let kept = stay.into_iter().map(|entry| (entry.name, entry.keep)).collect();
            Ok((gone.into_iter().map(|entry| entry.name).collect(), kept))
        }

        /// The snapshots, oldest first.
        fn snapshots(&self) -> fdo::Result<Vec<Snapshot>> {
            let of = |entry: Entry| {
                let (time, kind) = (epoch(Some(entry.time)), entry.kind.to_owned());
                let (used, referenced) = (entry.used_bytes.unwrap_or(0), entry.referenced_bytes.unwrap_or(0));
                (entry.name, time, kind, entry.keep, used, referenced, entry.path)
            };
            Ok(self.listed()?.into_iter().map(of).collect())
        }

        /// Past runs, the newest first.
        fn history(&self, count: u32) -> fdo::Result<Vec<Dictionary>> {
            let name = self.called().parse().map_err(|_| self.unknown())?;
            let now = self.common.clock.now();
            let (runs, _) = history::ask(&self.common.paths, now, |history| {
                history.runs(Some(&name), Some(count.min(MOST_RUNS)))
            })
            .map_err(|error| fdo::Error::Failed(chain(&error)))?;
            Ok(runs.iter().map(dictionary).collect())
        }
    }
    name: String;
    group: String;
    tags: Vec<String>;
    enabled: bool;
    state: String;
    progress: f64;
    status: String;
    last_success: u64;
    last_run: u64;
    last_result: String;
    last_error: String;
    first_failure: u64;
    next_run: u64;
    average_duration: u64;
    snapshot_count: i64;
    newest_snapshot: u64;
    overdue_at: u64;
    size: u64;
    transport: String;
    source: String;
    storage: String;
    dataset: String;
}

impl Fileset {
    fn called(&self) -> String {
        self.shown.part(|shown| shown.name.clone())
    }

    /// The valid configuration: what is invalid neither runs nor has a place.
    fn configured<'c>(&self, configuration: &'c Configuration) -> fdo::Result<&'c Configured> {
        let name = self.called();
        configuration.fileset(&name).ok_or_else(|| match configuration.invalid(&name) {
            Some(_) => {
                let error = self.shown.part(|shown| shown.last_error.clone());
                fdo::Error::Failed(format!("the file of {name} is wrong: {error}"))
            }
            None => self.unknown(),
        })
    }

    /// A name that can be a unit's: whatever file lies in conf.d must not name another unit.
    fn named(&self) -> fdo::Result<()> {
        self.called().parse::<crate::fileset::name::Name>().map(drop).map_err(|_| self.unknown())
    }

    fn unknown(&self) -> fdo::Error {
        fdo::Error::UnknownObject(format!("there is no fileset {:?}", self.called()))
    }

    /// The snapshots as they are now, with what retention says of each.
    fn listed(&self) -> fdo::Result<Vec<Entry>> {
        let configuration = self.common.configuration();
        let fileset = self.configured(&configuration)?;
        let listed = Storage::new(&fileset.storage.settings, &self.common.paths)
            .snapshots(&fileset.dataset)
            .map_err(|error| fdo::Error::Failed(chain(&error)))?;
        Ok(snapshots::of(fileset, &listed))
    }
}

/// Asks systemd for a job, and does not wait for what comes of it.
pub async fn systemd(bus: &Connection, call: &str, unit: &str) -> fdo::Result<()> {
    let asked = bus
        .call_method(
            Some("org.freedesktop.systemd1"),
            "/org/freedesktop/systemd1",
            Some("org.freedesktop.systemd1.Manager"),
            call,
            &(unit, "replace"),
        )
        .await;
    match asked {
        Ok(reply) => reply.body().deserialize::<OwnedObjectPath>().map(drop).map_err(Into::into),
        Err(zbus::Error::MethodError(name, why, _)) => Err(fdo::Error::Failed(format!(
            "systemd refuses {call} of {unit}: {}",
            why.unwrap_or(name.to_string())
        ))),
        Err(error) => Err(error.into()),
    }
}
