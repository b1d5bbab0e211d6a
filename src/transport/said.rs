//! What programs print of a transfer: lines for the journal, and the few that are kept to explain an end.
//!
//! Whatever a source prints is its own word. It can explain a failure; it can never make a success of one.

use super::Event;
use log::Level;
use std::collections::VecDeque;

/// Lines for the journal from one run. A source must not be able to fill it.
const LOUDEST: usize = 1000;

/// The first lines (where ssh tells its troubles) and the last (where most programs do).
const FIRST: usize = 60;
const LAST: usize = 10;

/// What was printed so far.
#[derive(Debug, Default)]
pub struct Said {
    first: Vec<String>,
    last: VecDeque<String>,
    told: usize,
}

impl Said {
    /// Passes a line on, as long as there were not too many.
    pub fn tell(&mut self, level: Level, text: String, tell: &mut dyn FnMut(Event)) {
        self.told += 1;
        if self.told <= LOUDEST {
            tell(Event::Line { level, text });
        } else if self.told == LOUDEST + 1 {
            let text = format!("more than {LOUDEST} lines were printed; the rest is not shown");
            tell(Event::Line { level: Level::Warn, text });
        }
    }

    /// Keeps a line for [`Self::lines`].
    pub fn keep(&mut self, line: &str) {
        if self.first.len() < FIRST {
            self.first.push(line.to_owned());
        } else {
            if self.last.len() == LAST {
                self.last.pop_front();
            }
            self.last.push_back(line.to_owned());
        }
    }

    /// The lines that were kept, in their order.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.first.iter().chain(&self.last).map(String::as_str)
    }

    /// Whether those are all there were.
    pub fn is_whole(&self) -> bool {
        self.last.len() < LAST
    }

    /// The end of it, for a reason that nothing else explains.
    pub fn ending(&self) -> String {
        let mut lines: Vec<&str> = self.lines().rev().take(3).collect();
        lines.reverse();
        lines.join("; ")
    }
}

/// Bytes as text that a journal and a terminal can show: what is not UTF-8 or would steer a terminal is escaped.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        if c.is_control() && c != '\t' { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_flood_or_steer() {
        let (mut said, mut events) = (Said::default(), 0);
        for _ in 0..100_000 {
            let line = printable(b"\x1b[2Jboo\xff");
            said.keep(&line);
            said.tell(Level::Warn, line, &mut |_| events += 1);
        }
        assert_eq!(events, LOUDEST + 1);
        assert_eq!(said.lines().count(), FIRST + LAST);
        assert!(!said.is_whole() && Said::default().is_whole());
        assert_eq!(said.lines().next(), Some("\\u{1b}[2Jboo\u{fffd}"));
    }
}
