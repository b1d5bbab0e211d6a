//! What Zabbix reads: the filesets that there are, and all of them in a few figures.

use crate::status::sum::Sum;
use crate::status::{Level, Sources, Status};
use serde::Serialize;

/// What Zabbix discovers filesets by.
#[derive(Debug, Serialize)]
pub struct Discovery {
    data: Vec<Macros>,
}

/// One fileset for Zabbix: the macros that its template uses.
#[derive(Debug, Serialize)]
struct Macros {
    #[serde(rename = "{#ID}")]
    id: String,
    #[serde(rename = "{#NAME}")]
    name: String,
    /// The age in seconds that its last success may reach at most.
    #[serde(rename = "{#ETA_MAX}")]
    eta_max: u64,
    #[serde(rename = "{#PLANB}")]
    storage: Option<String>,
    #[serde(rename = "{#GROUP}")]
    group: String,
}

/// The filesets that are valid and enabled.
pub fn discovery(sources: &mut Sources<'_>, known: &[Status]) -> Discovery {
    let data = known.iter().filter_map(|status| {
        let fileset = sources.configuration.fileset(&status.entry.name)?;
        fileset.enabled.then(|| Macros {
            id: status.entry.name.clone(),
            name: status.entry.name.clone(),
            eta_max: sources.oldest_age(fileset, status).as_secs(),
            storage: status.entry.storage.clone(),
            group: status.entry.group.clone().unwrap_or_default(),
        })
    });
    Discovery { data: data.collect() }
}

/// All of them, and the worst that there is to say.
#[derive(Debug, Serialize)]
pub struct Summary {
    #[serde(flatten)]
    pub sum: Sum,
    pub storages_in_trouble: usize,
    pub level: Level,
    pub message: String,
}
