//! What rsync prints on its standard output: its meter while it runs, its statistics at the end.
//!
//! Both are read from rsync 3.1 to 3.5, run with
//! `--info=progress2 --stats --no-human-readable`.

use crate::fileset::progress::{Progress, Totals, Transferred};
use crate::transport::Rehearsal;

/// Reads the meter's lines, each ended by a carriage return:
///
/// ```text
///       21233664  70%   20.04MB/s    0:00:01
///       30000000  99%   21.03MB/s    0:00:01 (xfr#4, to-chk=8/13)
///       30000000  12%   21.03MB/s    0:00:01 (xfr#4, ir-chk=1000/2013)
/// ```
///
/// Bytes transferred, their share of all the source has, rate, time left; and whenever a file is done, files
/// transferred, files still to be checked, and files known: all there are (`to-chk`) or so far (`ir-chk`).
#[derive(Debug)]
pub struct Meter {
    share_of: ShareOf,
    listed: bool,
    last: Progress,
}

/// What the fraction counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareOf {
    /// Bytes: of a first transfer, in which all of them come. rsync's own reckoning.
    Bytes,
    /// Files looked at: of any later one, in which most bytes never come and rsync's percentage ends at 1 or 2.
    Files,
}

impl Meter {
    pub fn new(share_of: ShareOf) -> Self {
        Self { share_of, listed: true, last: Progress::default() }
    }

    /// Whether this is a line of the meter, and if so, how far things are.
    pub fn read(&mut self, line: &str) -> Option<Progress> {
        let mut words = line.split_ascii_whitespace();
        let bytes = words.next()?.parse().ok()?;
        let percent: u8 = words.next()?.strip_suffix('%')?.parse().ok()?;
        let rate = rate(words.next()?)?;
        let time = words.next()?;
        let progress = &mut self.last;
        (progress.bytes, progress.rate) = (bytes, rate);
        let transferred = words.next();
        if let Some(checked) = words.next() {
            let (kind, counts) = checked.split_once('=')?;
            let (left, known) = counts.strip_suffix(')')?.split_once('/')?;
            progress.of_files = known.parse().ok()?;
            progress.files = progress.of_files.saturating_sub(left.parse().ok()?);
            self.listed = kind == "to-chk";
        }
        #[expect(clippy::cast_precision_loss, reason = "shown as a bar")]
        let files = progress.files as f64 / progress.of_files.max(1) as f64;
        progress.fraction = self.listed.then_some(match self.share_of {
            ShareOf::Bytes => f64::from(percent.min(100)) / 100.0,
            ShareOf::Files => files,
        });
        // Behind a finished file the time is the time it took.
        if transferred.is_none() {
            progress.eta_s = seconds(time).filter(|_| self.listed && self.share_of == ShareOf::Bytes);
        }
        Some(*progress)
    }
}

/// `20.04MB/s`, in powers of 1024.
fn rate(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "kB/s" => 1024.0,
        "MB/s" => 1024.0 * 1024.0,
        "GB/s" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; has no sign")]
    Some((number * unit) as u64)
}

/// `1:02:03`, or `??:??:??` when rsync does not know.
fn seconds(text: &str) -> Option<u64> {
    text.split(':').try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
}

/// Collects the statistics:
///
/// ```text
/// Number of files: 13 (reg: 7, dir: 3, link: 1, dev: 1, special: 1)
/// Number of created files: 12 (reg: 7, dir: 2, link: 1, dev: 1, special: 1)
/// Number of deleted files: 0
/// Number of regular files transferred: 6
/// Total file size: 30000011 bytes
/// Total transferred file size: 30000004 bytes
/// Literal data: 30000004 bytes
/// Matched data: 0 bytes
/// File list size: 0
/// File list generation time: 0.001 seconds
/// File list transfer time: 0.000 seconds
/// Total bytes sent: 30007896
/// Total bytes received: 165
///
/// sent 30007896 bytes  received 165 bytes  20005374.00 bytes/sec
/// total size is 30000011  speedup is 1.00
/// ```
#[derive(Debug, Default)]
pub struct Statistics {
    files: Option<u64>,
    bytes: Option<u64>,
    transferred: Option<u64>,
    sent: Option<u64>,
    received: Option<u64>,
    deleted: Option<u64>,
    changed: Option<u64>,
}

/// Lines of the statistics that nobody asks for.
const OTHER_FIGURES: [&str; 6] = [
    "Number of created files",
    "Literal data",
    "Matched data",
    "File list size",
    "File list generation time",
    "File list transfer time",
];

impl Statistics {
    /// Whether this is a line of the statistics.
    pub fn read(&mut self, line: &str) -> bool {
        let Some((label, value)) = line.split_once(": ") else {
            return (line.starts_with("sent ") && line.ends_with("bytes/sec"))
                || line.starts_with("total size is ");
        };
        let number = || value.split(' ').next().and_then(|n| n.replace(',', "").parse().ok());
        match label {
            "Number of files" => self.files = number(),
            "Total file size" => self.bytes = number(),
            "Number of regular files transferred" => self.transferred = number(),
            "Number of deleted files" => self.deleted = number(),
            "Total transferred file size" => self.changed = number(),
            "Total bytes sent" => self.sent = number(),
            "Total bytes received" => self.received = number(),
            _ => return OTHER_FIGURES.contains(&label),
        }
        true
    }

    /// The figures of a transfer that only looked, when all of them were printed.
    pub fn rehearsed(&self) -> Option<Rehearsal> {
        Some(Rehearsal {
            totals: Totals { files: self.files?, bytes: self.bytes? },
            files: self.transferred?,
            bytes: self.changed?,
            deleted: self.deleted?,
        })
    }

    /// The figures, when all of them were printed. `local`: the source's bytes came from our own sending side.
    pub fn transferred(&self, local: bool) -> Option<Transferred> {
        Some(Transferred {
            totals: Some(Totals { files: self.files?, bytes: self.bytes? }),
            files: Some(self.transferred?),
            bytes: Some(if local { self.sent? } else { self.received? }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_counts_bytes_of_a_first_transfer() {
        let mut meter = Meter::new(ShareOf::Bytes);
        let first = meter.read("       21233664  70%   20.00MB/s    0:01:01  ").expect("a meter's line");
        assert_eq!((first.bytes, first.rate), (21_233_664, 20 << 20));
        assert_eq!((first.fraction, first.eta_s), (Some(0.7), Some(61)));
        let next = meter.read("  30000000  99%   1.00kB/s    0:00:03 (xfr#4, to-chk=8/13)").expect("a line");
        assert_eq!((next.files, next.of_files, next.eta_s), (5, 13, Some(61)));
        let growing =
            meter.read("  30000000  99%   1.00GB/s    0:00:03 (xfr#4, ir-chk=8/13)").expect("a line");
        assert_eq!((growing.fraction, growing.rate), (None, 1 << 30));
        let still = meter.read("  30000001  99%   1.00GB/s   ??:??:??").expect("a line");
        assert_eq!((still.fraction, still.eta_s, still.of_files), (None, None, 13));
    }

    #[test]
    fn the_meter_counts_files_of_a_later_transfer() {
        let mut meter = Meter::new(ShareOf::Files);
        let line = meter.read("  300  1%   1.00kB/s    0:00:03 (xfr#1, to-chk=25/100)").expect("a line");
        assert_eq!((line.fraction, line.eta_s), (Some(0.75), None));
    }

    #[test]
    fn other_lines_are_not_the_meters() {
        let mut meter = Meter::new(ShareOf::Bytes);
        for line in
            ["", "skipping non-regular file \"a\"", "1 2 3 4", "10 50% fast 0:00:01", "100 300% 1.00kB/s 0:0"]
        {
            assert_eq!(meter.read(line), None, "{line:?}");
        }
    }

    #[test]
    fn statistics_are_all_there_or_not_there() {
        let text = "Number of files: 1,013 (reg: 7)\nNumber of regular files transferred: 6\n\
                    Total file size: 30000011 bytes\nTotal bytes sent: 70\nTotal bytes received: 165";
        let mut statistics = Statistics::default();
        for line in text.lines() {
            assert_eq!(statistics.transferred(false), None);
            assert!(statistics.read(line), "{line}");
        }
        let totals = Some(Totals { files: 1013, bytes: 30_000_011 });
        assert_eq!(
            statistics.transferred(false),
            Some(Transferred { totals, files: Some(6), bytes: Some(165) })
        );
        assert_eq!(
            statistics.transferred(true),
            Some(Transferred { totals, files: Some(6), bytes: Some(70) })
        );
        assert!(
            !statistics.read("skipping non-regular file: x")
                && statistics.read("total size is 1  speedup is 1.00")
        );
    }
}
