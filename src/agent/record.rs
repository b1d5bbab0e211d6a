//! A run's record as the bus has it: the fields of `history --json`, without those that are not known.

use super::shown::epoch;
use crate::fileset::record::Record;
use crate::history::json::Run;
use std::borrow::Cow;
use std::collections::HashMap;
use zbus::zvariant::Value;

/// A dictionary, `a{sv}`.
pub type Dictionary = HashMap<&'static str, Value<'static>>;

pub fn dictionary(record: &Record) -> Dictionary {
    let run = Run::from(record);
    let tags: Vec<String> = run.tags.iter().map(ToString::to_string).collect();
    let mut fields = HashMap::from([
        ("id", Value::from(run.id.to_owned())),
        ("fileset", run.fileset.to_string().into()),
        ("tags", tags.into()),
        ("trigger", run.trigger.to_string().into()),
        ("started", epoch(Some(run.started)).into()),
        ("dataset", run.dataset.to_string().into()),
        ("destroyed", run.destroyed.to_vec().into()),
    ]);
    let texts = [
        ("group", run.group.map(ToString::to_string)),
        ("result", run.result.map(|result| result.to_string())),
        ("error", run.error.map(str::to_owned)),
        ("snapshot", run.snapshot.map(str::to_owned)),
        ("path", run.path.map(Cow::into_owned)),
    ];
    fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name, text?.into()))));
    let numbers = [
        ("finished", run.finished.map(|at| epoch(Some(at)))),
        ("duration_s", run.duration_s),
        ("bytes_transferred", run.bytes_transferred),
        ("files_transferred", run.files_transferred),
        ("files_total", run.files_total),
        ("bytes_total", run.bytes_total),
    ];
    fields.extend(numbers.into_iter().filter_map(|(name, number)| Some((name, number?.into()))));
    fields.extend(run.exit_code.map(|code| ("exit_code", code.into())));
    fields
}
