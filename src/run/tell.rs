//! What the journal gets of a run: events with fields, so that they are found without reading. Elsewhere they are lines.

use crate::fileset::name::Group;
use crate::fileset::quantity::{Size, Span, counted};
use crate::fileset::record::{Outcome, Record};
use crate::host::events;
use log::Level;
use std::fmt::Arguments;

/// Logs an event of a run.
pub fn event(run: &Record, level: Level, id: &str, more: &[(&str, &str)], text: Arguments<'_>) {
    line(run, level, &[&[("MESSAGE_ID", id)], more].concat(), text);
}

/// Logs what belongs to a run, whoever says it.
pub fn line(run: &Record, level: Level, more: &[(&str, &str)], text: Arguments<'_>) {
    if level <= log::max_level() {
        let mut fields = more.to_vec();
        fields.push(("PLANB_FILESET", run.fileset.as_str()));
        fields.push(("PLANB_RUN_ID", &run.id));
        fields.extend(run.group.as_ref().map(|group: &Group| ("PLANB_GROUP", group.as_str())));
        let mut builder = log::Record::builder();
        let record = builder.level(level).target("planb").args(text);
        log::logger().log(&record.key_values(&fields).build());
    }
}

/// Says in one line what became of a run.
pub fn end(run: &Record) {
    let name = &run.fileset;
    let took = Span::from_secs(run.duration_s().unwrap_or(0));
    let outcome = run.result.unwrap_or(Outcome::Failure);
    let mut fields = vec![("PLANB_RESULT", outcome.as_str())];
    fields.extend(run.snapshot.as_deref().map(|snapshot| ("PLANB_SNAPSHOT", snapshot)));
    let (level, id) = match outcome {
        Outcome::Success => (Level::Info, events::RUN_SUCCEEDED),
        Outcome::Deferred => (Level::Warn, events::RUN_DEFERRED),
        Outcome::Failure => (Level::Error, events::RUN_FAILED),
        Outcome::Timeout => (Level::Error, events::RUN_TIMED_OUT),
        Outcome::Interrupted => (Level::Warn, events::RUN_INTERRUPTED),
        Outcome::Killed => (Level::Error, events::RUN_KILLED),
    };
    let why = run.error.as_deref().unwrap_or_default();
    if outcome != Outcome::Success {
        return event(run, level, id, &fields, format_args!("{name}: {outcome} after {took}: {why}"));
    }
    let transferred = run.transferred.unwrap_or_default();
    let (files, bytes) = (counted(transferred.files, "file"), Size::from_bytes(transferred.bytes));
    let snapshot = run.snapshot.as_deref().unwrap_or_default();
    let destroyed = match run.destroyed.len() {
        0 => String::new(),
        n => format!(", {n} destroyed"),
    };
    let text = format_args!("{name}: {snapshot} in {took}: {files} changed, {bytes} transferred{destroyed}");
    event(run, level, id, &fields, text);
    for snapshot in &run.destroyed {
        let fields = [("PLANB_SNAPSHOT", snapshot.as_str())];
        let text = format_args!("{name}: {snapshot} is destroyed, as `retain` asks");
        event(run, Level::Debug, events::SNAPSHOT_DESTROYED, &fields, text);
    }
    if let Some(trouble) = &run.error {
        event(run, Level::Error, events::RETENTION_TROUBLE, &[], format_args!("{name}: {trouble}"));
    }
}
