//! What rsync, ssh and the source print on standard error: lines for the journal, and the few that explain an exit
//! code, which by itself says little.
//!
//! Whatever the source prints is its own word. It can explain a failure; it can never make a success of one.

use super::remote::NotNow;
use crate::transport::Event;
use crate::transport::said::{self, printable};
use log::Level;

/// How many names a reason gives; the rest is a number.
const NAMED: usize = 5;

/// A path and, where one was given, why it could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub path: String,
    pub reason: String,
    /// It was the source's side that complained, not ours.
    pub by_source: bool,
}

/// Paths that something is wrong with, the first few by name.
#[derive(Debug, Default)]
pub struct Paths {
    named: Vec<String>,
    more: usize,
}

#[derive(Debug, Default)]
pub struct Said {
    printed: said::Said,
    pub unread: Paths,
    pub vanished: Paths,
    pub not_now: Option<NotNow>,
    /// The source's login user may not read something.
    pub denied: bool,
    /// Our side has no room: the line that says so.
    pub full: Option<String>,
}

impl Said {
    /// Takes in a line of standard error.
    pub fn hear(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Event)) {
        let line = printable(bytes);
        self.printed.keep(&line);
        if let Some(not_now) = NotNow::read(&line) {
            self.not_now = Some(not_now);
        } else if let Some(path) = line.strip_prefix("file has vanished: ") {
            self.vanished.add(path.to_owned());
        } else if let Some(complaint) = Complaint::read(&line) {
            if !complaint.by_source && is_full(&complaint.reason) {
                self.full.get_or_insert_with(|| complaint.reason.clone());
            }
            self.denied |= complaint.by_source && complaint.reason.starts_with("Permission denied");
            self.unread.add(format!("\"{}\" ({})", complaint.path, complaint.reason));
        }
        let level = if is_news(&line) { Level::Info } else { Level::Warn };
        self.tell(level, line, tell);
    }

    /// Passes a line on.
    pub fn tell(&mut self, level: Level, text: String, tell: &mut dyn FnMut(Event)) {
        self.printed.tell(level, text, tell);
    }

    /// The lines that were kept, in their order.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.printed.lines()
    }

    /// The end of it, for a reason that nothing else explains.
    pub fn ending(&self) -> String {
        self.printed.ending()
    }
}

impl Paths {
    fn add(&mut self, path: String) {
        if self.named.len() < NAMED {
            self.named.push(path);
        } else {
            self.more += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}

impl std::fmt::Display for Paths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.named.join(", "))?;
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

impl Complaint {
    /// Reads what rsync says about a path, which is all of the form
    ///
    /// ```text
    /// rsync: [sender] opendir "/root" failed: Permission denied (13)
    /// rsync: [receiver] write failed on "/srv/x": No space left on device (28)
    /// ```
    ///
    /// (before 3.2.4 without the side in brackets). rsync escapes what is not printable in a name, but not a quote.
    fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("rsync: ")?;
        let by_source = rest.starts_with("[sender]");
        let (start, end) = (rest.find('"')?, rest.rfind('"')?);
        let path = rest.get(start + 1..end)?;
        // lsetxattr("/srv/x","user.y"): the path is the first.
        let path = path.split_once("\",\"").map_or(path, |(path, _)| path);
        let (_, reason) = rest.get(end + 1..)?.rsplit_once(": ")?;
        let reason = reason.trim();
        let reason = match reason.rsplit_once(" (") {
            Some((text, number)) if number.trim_end_matches(')').parse::<u32>().is_ok() => text,
            _ => reason,
        };
        Some(Self { path: path.to_owned(), reason: reason.to_owned(), by_source })
    }
}

fn is_full(reason: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"].iter().any(|text| reason.starts_with(text))
}

/// Lines that are no warning although they come on standard error.
fn is_news(line: &str) -> bool {
    line.starts_with("Warning: Permanently added ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> (Said, Vec<Event>) {
        let (mut said, mut events) = (Said::default(), Vec::new());
        for line in lines {
            said.hear(line.as_bytes(), &mut |event| events.push(event));
        }
        (said, events)
    }

    #[test]
    fn complaints_name_paths_and_reasons() {
        for (line, path, reason, by_source) in [
            (
                "rsync: [sender] opendir \"/a \"b\"\" failed: Permission denied (13)",
                "/a \"b\"",
                "Permission denied",
                true,
            ),
            (
                "rsync: send_files failed to open \"/x\": Input/output error (5)",
                "/x",
                "Input/output error",
                false,
            ),
            (
                "rsync: [sender] change_dir \"none\" (in m) failed: No such file or directory (2)",
                "none",
                "No such file or directory",
                true,
            ),
            (
                "rsync: [receiver] rsync_xal_set: lsetxattr(\"/x\",\"user.y\") failed: No space left on device (28)",
                "/x",
                "No space left on device",
                false,
            ),
        ] {
            let complaint = Complaint { path: path.to_owned(), reason: reason.to_owned(), by_source };
            assert_eq!(Complaint::read(line), Some(complaint), "{line}");
        }
        assert_eq!(Complaint::read("rsync error: some files/attrs were not transferred (code 23)"), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let lines: Vec<String> = (0..7).map(|n| format!("file has vanished: \"/{n}\"")).collect();
        let (said, _) = heard(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(said.vanished.to_string(), r#""/0", "/1", "/2", "/3", "/4" and 2 more"#);
    }

    #[test]
    fn no_room_is_ours_only_when_we_say_it() {
        let full = |side| format!("rsync: [{side}] write failed on \"/x\": No space left on device (28)");
        assert!(heard(&[&full("receiver")]).0.full.is_some());
        assert!(heard(&[&full("sender")]).0.full.is_none());
    }
}
