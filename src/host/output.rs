//! What programs print: its end, or its lines.

use std::collections::VecDeque;

/// The last bytes of an output.
#[derive(Debug)]
pub struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
}

impl Tail {
    pub fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(self.limit)..];
        let surplus = (self.bytes.len() + bytes.len()).saturating_sub(self.limit);
        self.bytes.drain(..surplus);
        self.bytes.extend(bytes);
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }
}

/// Cuts an output into lines at `\n` and at `\r` (progress meters), hands over each without its end, and splits what
/// is longer than any line worth reading.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    const LONGEST: usize = 16 * 1024;

    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' || self.0.len() == Self::LONGEST {
                self.flush(&mut line);
            }
            if byte != b'\n' && byte != b'\r' {
                self.0.push(byte);
            }
        }
    }

    /// The last line, when it has no end.
    pub fn flush(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.0.is_empty() {
            line(&self.0);
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_newlines_and_returns_and_have_a_longest() {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        lines.push(b"one\ntw", |l| seen.push(l.len()));
        lines.push(b"o\r\nthree", |l| seen.push(l.len()));
        lines.push(&vec![b'x'; 20_000], |l| seen.push(l.len()));
        lines.flush(|l| seen.push(l.len()));
        assert_eq!(seen, [3, 3, 16_384, 3_621]);
    }

    #[test]
    fn the_tail_is_what_came_last() {
        let mut tail = Tail::new(4);
        tail.push(b"ab");
        tail.push(b"cde");
        tail.push(b"");
        assert_eq!(tail.into_bytes(), b"bcde");
    }
}
