//! What a program reports on its descriptor: lines of a name, a blank and a number. Of each name the last counts.
//!
//! ```text
//! total-files 1013
//! total-bytes 30000011
//! files 6
//! bytes 165
//! progress 12.5%
//! ```
//!
//! What the source holds; what was transferred so far; how far it is.

use crate::fileset::progress::{Progress, Totals, Transferred};

#[derive(Debug, Default)]
pub struct Report {
    total_files: Option<u64>,
    total_bytes: Option<u64>,
    files: Option<u64>,
    bytes: Option<u64>,
    fraction: Option<f64>,
}

/// A line that says nothing we know.
#[derive(Debug, PartialEq, Eq)]
pub struct Strange;

impl Report {
    /// Takes in one line.
    pub fn read(&mut self, line: &str) -> Result<(), Strange> {
        let (name, value) = line.trim().split_once(' ').ok_or(Strange)?;
        let value = value.trim();
        let number = || value.parse().map(Some).map_err(|_| Strange);
        match name {
            "total-files" => self.total_files = number()?,
            "total-bytes" => self.total_bytes = number()?,
            "files" => self.files = number()?,
            "bytes" => self.bytes = number()?,
            "progress" => {
                let percent: f64 = value.strip_suffix('%').ok_or(Strange)?.parse().map_err(|_| Strange)?;
                // Neither a NaN nor an infinity is in there.
                if !(0.0..=100.0).contains(&percent) {
                    return Err(Strange);
                }
                self.fraction = Some(percent / 100.0);
            }
            _ => return Err(Strange),
        }
        Ok(())
    }

    /// What it says of the source, where it says all.
    pub fn totals(&self) -> Option<Totals> {
        Some(Totals { files: self.total_files?, bytes: self.total_bytes? })
    }

    /// What it came to, with what is known of the source.
    pub fn transferred(&self, totals: Option<Totals>) -> Transferred {
        Transferred { totals, files: self.files, bytes: self.bytes }
    }

    /// How far it is, so many seconds after its start.
    pub fn progress(&self, seconds: f64) -> Progress {
        let bytes = self.bytes.unwrap_or_default();
        let whole = |figure: f64| -> u64 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturates; has no sign"
            )]
            let figure = figure.max(0.0) as u64;
            figure
        };
        #[expect(clippy::cast_precision_loss, reason = "shown to people")]
        let rate = if seconds > 0.0 { whole(bytes as f64 / seconds) } else { 0 };
        let left = |fraction: f64| (fraction > 0.0).then(|| whole(seconds * (1.0 - fraction) / fraction));
        Progress {
            bytes,
            fraction: self.fraction,
            rate,
            eta_s: self.fraction.and_then(left),
            files: self.files.unwrap_or_default(),
            of_files: self.total_files.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_nonsense_is_none() {
        let mut report = Report::default();
        assert_eq!(report.totals(), None);
        for line in
            ["total-files 7", "total-bytes  900 ", "files 1", "bytes 100", "files 2", "progress 12.5%"]
        {
            assert_eq!(report.read(line), Ok(()), "{line}");
        }
        let totals = Some(Totals { files: 7, bytes: 900 });
        assert_eq!(report.totals(), totals);
        assert_eq!(report.transferred(None), Transferred { totals: None, files: Some(2), bytes: Some(100) });
        let progress = report.progress(10.0);
        assert_eq!((progress.bytes, progress.rate, progress.eta_s), (100, 10, Some(70)));
        assert_eq!((progress.fraction, progress.files, progress.of_files), (Some(0.125), 2, 7));
        for line in [
            "",
            "files",
            "files -1",
            "files 1.5",
            "files 99999999999999999999",
            "Files 1",
            "progress 12",
            "progress 101%",
            "progress -1%",
            "progress NaN%",
            "progress inf%",
            "bytes 1 2",
        ] {
            assert_eq!(report.read(line), Err(Strange), "{line}");
        }
        assert_eq!(report.totals(), totals, "nonsense takes nothing back");
    }
}
