//! What the bus is shown of a fileset: one table, from which its properties are made and what changed is told.

use crate::fileset::quantity::{Size, Span};
use crate::run::live::{Live, Phase};
use crate::status::{Entry, State};
use std::collections::{BTreeMap, HashMap};
use time::OffsetDateTime;
use zbus::zvariant::Value;

/// Writes the table as a type, and what is different in another one of it.
macro_rules! shown {
    ($($(#[$doc:meta])* $field:ident $name:literal: $type:ty;)*) => {
        /// The properties of a fileset. The bus has no null: what is not known is empty, 0, or less than 0 where 0 means
        /// something.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Shown {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Shown {
            /// All properties, by their names.
            pub fn properties(&self) -> BTreeMap<&'static str, Value<'_>> {
                BTreeMap::from([$(($name, Value::from(&self.$field)),)*])
            }

            /// The properties that are different in `new`, as they are there.
            #[expect(clippy::float_cmp, reason = "whether it is the same figure, not how near it is")]
            pub fn changes(&self, new: &Self) -> HashMap<&'static str, Value<'static>> {
                let mut changes = HashMap::new();
                $(if self.$field != new.$field {
                    changes.insert($name, Value::from(new.$field.clone()));
                })*
                changes
            }
        }
    };
}

shown! {
    name "Name": String;
    group "Group": String;
    tags "Tags": Vec<String>;
    enabled "Enabled": bool;
    /// As in `list --json`.
    state "State": String;
    /// From 0 to 1 where a run knows how far it is; less than 0 otherwise.
    progress "Progress": f64;
    /// What a run does now, for people.
    status "Status": String;
    /// Seconds since 1970, as all times.
    last_success "LastSuccess": u64;
    last_run "LastRun": u64;
    last_result "LastResult": String;
    last_error "LastError": String;
    first_failure "FirstFailure": u64;
    next_run "NextRun": u64;
    /// Seconds.
    average_duration "AverageDuration": u64;
    /// Less than 0 where the snapshots cannot be seen.
    snapshot_count "SnapshotCount": i64;
    newest_snapshot "NewestSnapshot": u64;
    /// When it will be late.
    overdue_at "OverdueAt": u64;
    /// Bytes.
    size "Size": u64;
    transport "Transport": String;
    source "Source": String;
    storage "Storage": String;
    dataset "Dataset": String;
}

/// Seconds since 1970; 0 where there is no such time.
pub fn epoch(at: Option<OffsetDateTime>) -> u64 {
    at.and_then(|at| u64::try_from(at.unix_timestamp()).ok()).unwrap_or(0)
}

impl Shown {
    pub fn new(entry: &Entry, live: Option<&Live>) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let shown = Self {
            name: entry.name.clone(),
            group: text(&entry.group),
            tags: entry.tags.clone(),
            enabled: entry.enabled.unwrap_or(false),
            state: entry.state.as_str().to_owned(),
            progress: -1.0,
            status: String::new(),
            last_success: epoch(entry.last_success),
            last_run: epoch(entry.last_run),
            last_result: entry.last_result.map(|result| result.to_string()).unwrap_or_default(),
            last_error: text(&entry.error),
            first_failure: epoch(entry.first_failure),
            next_run: epoch(entry.next_run),
            average_duration: entry.average_duration_s.unwrap_or(0),
            snapshot_count: entry.snapshots.and_then(|count| count.try_into().ok()).unwrap_or(-1),
            newest_snapshot: epoch(entry.newest_snapshot),
            overdue_at: epoch(entry.overdue_at),
            size: entry.size_bytes.unwrap_or(0),
            transport: entry.transport.unwrap_or_default().to_owned(),
            source: text(&entry.source),
            storage: text(&entry.storage),
            dataset: text(&entry.dataset),
        };
        match live {
            Some(live) => shown.with(live),
            None => shown,
        }
    }

    /// With what a run says of itself.
    #[must_use]
    pub fn with(self, live: &Live) -> Self {
        let progress = live.progress.unwrap_or_default();
        let (state, status) = match live.phase {
            Phase::Queued => (State::Queued, "waiting for a slot".to_owned()),
            Phase::Finishing => (State::Running, "making the snapshot".to_owned()),
            Phase::Transferring if live.progress.is_none() => {
                (State::Running, "listing the source".to_owned())
            }
            Phase::Transferring => {
                let (bytes, rate) = (Size::from_bytes(progress.bytes), Size::from_bytes(progress.rate));
                let left = progress.eta_s.map(|secs| format!(", {} left", Span::from_secs(secs)));
                (State::Running, format!("transferring: {bytes}, {rate}/s{}", left.unwrap_or_default()))
            }
        };
        Self {
            state: state.as_str().to_owned(),
            status,
            progress: progress.fraction.map_or(-1.0, |share| share.clamp(0.0, 1.0)),
            ..self
        }
    }

    pub fn is_live(&self) -> bool {
        [State::Queued, State::Running].iter().any(|state| state.as_str() == self.state)
    }
}
