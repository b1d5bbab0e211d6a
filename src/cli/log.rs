//! Where what happens is said: the journal under systemd, stderr for a person, syslog where configured.

use indicatif::MultiProgress;
use log::kv::{Error, Key, Source, ToValue, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use systemd_journal_logger::JournalLog;

/// Who takes the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Journal,
    Stderr,
    Syslog,
}

/// Sends all messages of this process to `target`, or to stderr where that one cannot be had. In the journal each has
/// these fields, unless it says itself what is in them.
pub fn to(target: Target, level: LevelFilter, fields: &[(&str, &str)]) {
    let connected = match target {
        Target::Journal => Journal::new(fields)
            .map_err(|e| e.to_string())
            .and_then(|journal| log::set_boxed_logger(Box::new(journal)).map_err(|e| e.to_string())),
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

/// Of its own and not `with_extra_fields`, which would give a message the same field twice: that is a list to whoever reads it.
struct Journal {
    journal: JournalLog,
    fields: Vec<(String, String)>,
}

impl Journal {
    fn new(fields: &[(&str, &str)]) -> std::io::Result<Self> {
        let journal = JournalLog::empty()?.with_syslog_identifier("planb".into());
        let fields = fields.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Ok(Self { journal, fields })
    }
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let fields = Fields { own: record.key_values(), all: &self.fields };
        self.journal.log(&record.to_builder().key_values(&fields).build());
    }

    fn flush(&self) {}
}

/// A message's own fields, and of those of all messages the ones that it lacks.
struct Fields<'a> {
    own: &'a dyn Source,
    all: &'a [(String, String)],
}

impl Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.own.visit(visitor)?;
        let lacking = self.all.iter().filter(|(name, _)| self.own.get(Key::from_str(name)).is_none());
        lacking
            .into_iter()
            .try_for_each(|(name, value)| visitor.visit_pair(Key::from_str(name), value.to_value()))
    }
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
