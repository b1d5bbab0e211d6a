//! A run as other programs see it: in `planb history --json`, and on a hook's standard input.
//!
//! Fields may be added here; none may be renamed or leave. Fields without a value are null, so that a program can tell
//! "not known" from "spelt wrong".

use crate::fileset::name::{DatasetName, Group, Name, Tag};
use crate::fileset::record::{Outcome, Record, Trigger};
use serde::Serialize;
use std::borrow::Cow;
use time::OffsetDateTime;

/// One run, as a JSON object. Times are RFC 3339 with an offset, durations seconds, sizes bytes.
#[derive(Debug, Serialize)]
pub struct Run<'a> {
    pub id: &'a str,
    pub fileset: &'a Name,
    pub group: Option<&'a Group>,
    pub tags: &'a [Tag],
    pub trigger: Trigger,
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished: Option<OffsetDateTime>,
    pub duration_s: Option<u64>,
    pub result: Option<Outcome>,
    pub error: Option<&'a str>,
    pub exit_code: Option<i32>,
    pub snapshot: Option<&'a str>,
    pub dataset: &'a DatasetName,
    pub path: Option<Cow<'a, str>>,
    pub bytes_transferred: Option<u64>,
    pub files_transferred: Option<u64>,
    pub files_total: Option<u64>,
    pub bytes_total: Option<u64>,
    pub destroyed: &'a [String],
}

impl<'a> From<&'a Record> for Run<'a> {
    fn from(run: &'a Record) -> Self {
        Self {
            id: &run.id,
            fileset: &run.fileset,
            group: run.group.as_ref(),
            tags: &run.tags,
            trigger: run.trigger,
            started: run.started,
            finished: run.finished,
            duration_s: run.duration_s(),
            result: run.result,
            error: run.error.as_deref(),
            exit_code: run.exit_code,
            snapshot: run.snapshot.as_deref(),
            dataset: &run.dataset,
            path: run.path.as_ref().map(|path| path.to_string_lossy()),
            bytes_transferred: run.transferred.and_then(|t| t.bytes),
            files_transferred: run.transferred.and_then(|t| t.files),
            files_total: run.totals().map(|t| t.files),
            bytes_total: run.totals().map(|t| t.bytes),
            destroyed: &run.destroyed,
        }
    }
}
