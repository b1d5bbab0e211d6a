//! What a transfer unit has to say, on its way into the journal of the run that wants it.
//!
//! The transfer appends its lines to a file of its own directory, and the run logs them as its own: all of a run is then
//! found by the run's id. A run that is killed relays nothing any more; whoever settles it goes on where it stopped.
//!
//! As every file of a transfer's this one is a letter from a stranger ([`told`](super::told)): there is a limit to how much
//! of it is read, and nothing in it but text and a level.

use super::told;
use crate::fileset::name::Name;
use crate::host::lock;
use crate::host::paths::Paths;
use log::Level;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// More lines than a transfer has a word for, which keeps a limit of its own.
const MOST_LINES: u64 = 2000;
/// More bytes than so many lines that somebody reads.
const MOST_BYTES: u64 = 2 << 20;
/// The longest line, in characters.
const LONGEST: usize = 4000;
/// So much is read at once; whatever has no end in it is cut there.
const AT_ONCE: usize = 64 * 1024;

/// One file for each run, so that an earlier run's is not taken for this one's.
fn file(id: &str) -> String {
    format!("said-{id}")
}

/// The transfer's end: where its lines are written.
#[derive(Debug)]
pub struct Mouth(File);

impl Mouth {
    pub fn open(directory: &Path, id: &str) -> io::Result<Self> {
        for old in fs::read_dir(directory)? {
            let old = old?;
            if old.file_name().to_str().is_some_and(|name| name.starts_with("said-")) {
                fs::remove_file(old.path())?;
            }
        }
        let path = directory.join(file(id));
        Ok(Self(File::options().append(true).create_new(true).mode(0o600).open(path)?))
    }

    /// One line, with the level before it as `sd-daemon(3)` has it.
    pub fn say(&mut self, level: Level, text: &str) {
        let line = format!("<{}>{}\n", priority(level), told::plain(text, LONGEST));
        if let Err(error) = self.0.write_all(line.as_bytes()) {
            // Better in another unit's journal than nowhere.
            log::log!(level, "{text} (failed to pass this on: {error})");
        }
    }
}

const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn level(line: &str) -> (Level, &str) {
    for level in [Level::Error, Level::Warn, Level::Info, Level::Debug] {
        if let Some(text) = line.strip_prefix(&format!("<{}>", priority(level))) {
            return (level, text);
        }
    }
    (Level::Info, line)
}

/// The run's end: what was heard so far, which is written down for whoever comes after.
#[derive(Debug)]
pub struct Ear {
    directory: PathBuf,
    id: String,
    heard: Heard,
    /// Where that is written down.
    note: PathBuf,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Heard {
    bytes: u64,
    lines: u64,
}

impl Ear {
    /// Listens to the transfer of the run of that id, from where somebody stopped to.
    pub fn new(paths: &Paths, fileset: &Name, id: &str) -> Self {
        let note = paths.runtime_dir("heard").join(fileset);
        let heard = fs::read_to_string(&note).ok().and_then(|text| Heard::of(&text, id)).unwrap_or_default();
        Self { directory: paths.transfer(fileset), id: id.to_owned(), heard, note }
    }

    /// Hands over each line that was said since. `over`: nothing more will be said, so that what has no end yet has none.
    pub fn listen(&mut self, over: bool, mut hear: impl FnMut(Level, &str)) {
        let before = self.heard;
        // That there is nothing to read is nothing to worry about: it has said nothing yet, or never will.
        if let Ok(file) = told::open(&self.directory, &file(&self.id)) {
            while self.piece(&file, over, &mut hear).is_ok_and(|more| more) {}
        }
        if self.heard != before
            && let Err(error) = self.note()
        {
            log::debug!("failed to write {}: {error}", self.note.display());
        }
    }

    /// Whether there may be more.
    fn piece(&mut self, file: &File, over: bool, hear: &mut impl FnMut(Level, &str)) -> io::Result<bool> {
        let mut bytes = vec![0; AT_ONCE];
        let read = file.read_at(&mut bytes, self.heard.bytes)?;
        let mut rest = &bytes[..read];
        let full = read == AT_ONCE;
        while !rest.is_empty() && self.heard.lines < MOST_LINES && self.heard.bytes < MOST_BYTES {
            let end = rest.iter().position(|&byte| byte == b'\n');
            let length = match end {
                Some(end) => end + 1,
                None if over || (full && rest.len() == AT_ONCE) => rest.len(),
                None => break,
            };
            let (line, after) = rest.split_at(length);
            rest = after;
            self.heard.bytes += line.len() as u64;
            self.heard.lines += 1;
            let line = told::plain(String::from_utf8_lossy(line).trim_end(), LONGEST);
            let (level, text) = level(&line);
            hear(level, text);
            if self.heard.lines == MOST_LINES || self.heard.bytes >= MOST_BYTES {
                hear(Level::Warn, "it has more to say than is shown");
            }
        }
        Ok(full && self.heard.lines < MOST_LINES && self.heard.bytes < MOST_BYTES)
    }

    fn note(&self) -> io::Result<()> {
        lock::directory(self.note.parent().unwrap_or(Path::new("/")))?;
        let new = self.note.with_extension("new");
        fs::write(&new, format!("{} {} {}", self.id, self.heard.bytes, self.heard.lines))?;
        fs::rename(&new, &self.note)
    }
}

impl Heard {
    fn of(text: &str, id: &str) -> Option<Self> {
        let (bytes, lines) = text.strip_prefix(id)?.trim_start().split_once(' ')?;
        Some(Self { bytes: bytes.parse().ok()?, lines: lines.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Place;
    use super::*;

    impl Place {
        fn mouth(&self, id: &str) -> Mouth {
            Mouth::open(&self.paths.transfer(&self.name), id).expect("a file")
        }

        fn ear(&self, id: &str) -> Ear {
            Ear::new(&self.paths, &self.name, id)
        }
    }

    fn heard(ear: &mut Ear, over: bool) -> Vec<(Level, String)> {
        let mut heard = Vec::new();
        ear.listen(over, |level, text| heard.push((level, text.to_owned())));
        heard
    }

    fn line(level: Level, text: &str) -> (Level, String) {
        (level, text.to_owned())
    }

    #[test]
    fn every_line_is_heard_once_whoever_listens() {
        let place = Place::new();
        let mut ear = place.ear("1");
        assert_eq!(heard(&mut ear, false), []);
        let mut mouth = place.mouth("1");
        mouth.say(Level::Warn, "one\n\u{1b}[2J");
        mouth.say(Level::Debug, "two");
        assert_eq!(heard(&mut ear, false), [line(Level::Warn, "one  [2J"), line(Level::Debug, "two")]);
        assert_eq!(heard(&mut ear, false), []);
        mouth.say(Level::Error, "three");
        mouth.0.write_all(b"<6>four, as far as it came").expect("written");
        assert_eq!(heard(&mut ear, false), [line(Level::Error, "three")]);
        drop(ear);
        let mut next = place.ear("1");
        assert_eq!(heard(&mut next, true), [line(Level::Info, "four, as far as it came")]);
        assert_eq!(heard(&mut place.ear("1"), true), []);
        // Another run's transfer begins anew, and what it does not say is not made up.
        assert_eq!(heard(&mut place.ear("2"), true), []);
        place.mouth("2").say(Level::Info, "five");
        assert_eq!(heard(&mut place.ear("2"), true), [line(Level::Info, "five")]);
        assert_eq!(heard(&mut place.ear("1"), true), []);
    }

    #[test]
    fn nobody_listens_for_ever() {
        let place = Place::new();
        let path = place.paths.transfer(&place.name).join(file("1"));
        for flood in [b"x\n".to_vec(), vec![b'x'; 100_000], b"\n\xff".to_vec()] {
            fs::write(&path, flood.repeat(5_000_000 / flood.len())).expect("written");
            let _ = fs::remove_file(place.paths.runtime_dir("heard").join("web1"));
            let mut ear = place.ear("1");
            let all = heard(&mut ear, true);
            let characters: usize = all.iter().map(|(_, text)| text.chars().count()).sum();
            assert!(all.len() as u64 <= MOST_LINES + 1 && characters < 2 << 20, "{}", all.len());
            assert_eq!(all.last().expect("a line").1, "it has more to say than is shown");
            assert!(all.iter().all(|(_, text)| text.chars().count() <= LONGEST));
            assert_eq!(heard(&mut ear, true), []);
            assert_eq!(heard(&mut place.ear("1"), true), []);
        }
        // A file that became shorter, or another.
        fs::write(&path, "short\n").expect("written");
        assert_eq!(heard(&mut place.ear("1"), true), []);
    }

    #[test]
    fn links_say_nothing() {
        let place = Place::new();
        let path = place.paths.transfer(&place.name).join(file("1"));
        std::os::unix::fs::symlink("/etc/passwd", &path).expect("linked");
        assert_eq!(heard(&mut place.ear("1"), true), []);
    }
}
