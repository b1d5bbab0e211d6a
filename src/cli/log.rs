//! Where what happens is said: the journal under systemd, stderr for a person, syslog where configured.

use indicatif::MultiProgress;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

/// Who takes the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Journal,
    Stderr,
    Syslog,
}

/// Sends all messages of this process to `target`, or to stderr where that one cannot be had. The journal gets `fields`
/// with each.
pub fn to(target: Target, level: LevelFilter, fields: &[(&str, &str)]) {
    let connected = match target {
        Target::Journal => {
            systemd_journal_logger::JournalLog::new().map_err(|e| e.to_string()).and_then(|journal| {
                let journal = journal.with_extra_fields(fields.iter().copied());
                journal.with_syslog_identifier("planb".into()).install().map_err(|e| e.to_string())
            })
        }
        Target::Syslog => {
            syslog::init(syslog::Facility::LOG_DAEMON, level, Some("planb")).map_err(|e| e.to_string())
        }
        Target::Stderr => log::set_logger(&Stderr).map_err(|e| e.to_string()),
    };
    log::set_max_level(level);
    if let Err(error) = connected {
        // A logger that was installed in spite of its error is as good as ours.
        let _ = log::set_logger(&Stderr);
        log::warn!("cannot log to {target:?}, logging to stderr: {error}");
    }
}

/// The progress bars on this terminal. What is printed while they are drawn must go past them.
pub fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info | Level::Debug | Level::Trace => "",
        };
        let mut stderr = std::io::stderr();
        let line = format!("planb: {level}{}\n", crate::report::table::plain(&record.args().to_string()));
        // Nobody listening is no reason to fail a backup.
        let mut write = || drop(stderr.write_all(line.as_bytes()));
        if std::io::stderr().is_terminal() { bars().suspend(write) } else { write() }
    }

    fn flush(&self) {}
}
