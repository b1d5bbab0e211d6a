//! What a hook finds in its environment. Every variable is always there; one without a value is empty.

use super::Event;
use crate::fileset::name::Tag;
use crate::fileset::record::Outcome;
use time::OffsetDateTime;

/// The longest value. The kernel refuses to start a program with more than 128 KiB in one; the JSON on standard input
/// has all of it.
const LONGEST: usize = 32 * 1024;

/// Times are seconds since 1970, durations seconds, sizes bytes, lists have a space between their words.
pub fn variables(event: &Event<'_>) -> [(&'static str, String); 18] {
    let Event { run, size, last_success, first_failure } = *event;
    let epoch = |at: Option<OffsetDateTime>| text(at.map(OffsetDateTime::unix_timestamp));
    let tags: Vec<&str> = run.tags.iter().map(Tag::as_str).collect();
    let transferred = run.transferred;
    [
        ("PLANB_FILESET", run.fileset.to_string()),
        ("PLANB_GROUP", text(run.group.as_ref())),
        ("PLANB_TAGS", tags.join(" ")),
        // Never empty, and never success where it was not: a run without an end was killed.
        ("PLANB_RESULT", run.result.unwrap_or(Outcome::Killed).to_string()),
        ("PLANB_ERROR", tame(run.error.as_deref().unwrap_or_default())),
        ("PLANB_RUN_ID", tame(&run.id)),
        ("PLANB_TRIGGER", run.trigger.to_string()),
        ("PLANB_STARTED", epoch(Some(run.started))),
        ("PLANB_FINISHED", epoch(run.finished)),
        ("PLANB_DURATION", text(run.duration_s())),
        ("PLANB_SNAPSHOT", tame(run.snapshot.as_deref().unwrap_or_default())),
        ("PLANB_DATASET", run.dataset.to_string()),
        ("PLANB_PATH", tame(&run.path.as_ref().map(|path| path.to_string_lossy()).unwrap_or_default())),
        ("PLANB_BYTES_TRANSFERRED", text(transferred.and_then(|t| t.bytes))),
        ("PLANB_FILES_TRANSFERRED", text(transferred.and_then(|t| t.files))),
        ("PLANB_SIZE", text(size)),
        // The end of the newest success, this run included.
        ("PLANB_LAST_SUCCESS", epoch(last_success)),
        // The beginning of the first failed run since the success before this run. Of a failure it is PLANB_STARTED
        // when the streak begins here; a success has it when it ends a streak.
        ("PLANB_FIRST_FAILURE", epoch(first_failure)),
    ]
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A value that can be in an environment: without NUL, and not too long for the kernel.
fn tame(value: &str) -> String {
    let end = value.char_indices().map(|(at, _)| at).find(|&at| at >= LONGEST).unwrap_or(value.len());
    let more = if end < value.len() { "..." } else { "" };
    value[..end].replace('\0', "?") + more
}
