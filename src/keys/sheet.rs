//! The recovery sheet: a key on paper. Whoever finds it in ten years shall need nothing else to get at the files, and
//! whoever has to type it in shall be told which row has the slip.

use super::key::{Fingerprint, Key, KeyFormat, LENGTH};
use crate::fileset::name::Name;
use crate::host::secret::Secret;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use time::OffsetDateTime;
use time::macros::format_description;

/// What begins every sheet. A later version may say more, and has the same rows.
const TITLE: &str = "PLANB RECOVERY SHEET";

/// Bytes of a key in one row.
const ROW: usize = 8;

/// What is on a sheet beside the key.
#[derive(Debug)]
pub struct Sheet<'a> {
    pub fileset: &'a Name,
    /// The whole name of the ZFS file system, its pool first.
    pub dataset: &'a str,
    pub format: KeyFormat,
    pub host: &'a str,
    pub at: OffsetDateTime,
}

/// Why a sheet cannot be read. Says nothing of the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("there is no recovery sheet of {fileset} in it{}", of(.others))]
    Another { fileset: Name, others: Vec<String> },
    #[error("row {row} of the key is missing")]
    Missing { row: usize },
    #[error("row {row} of the key is there twice")]
    Twice { row: usize },
    #[error("row {row} of the key is not 16 digits and 4 to check them by, from 0-9 and a-f")]
    Row { row: usize },
    #[error("row {row} of the key has a slip: its digits and its check do not fit each other")]
    Slip { row: usize },
    #[error(
        "the rows are each right, and are not of one key: its fingerprint is {found} and the sheet says {said}"
    )]
    Mixed { found: Fingerprint, said: String },
}

fn of(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!(", but of {}", others.join(", ")) }
}

impl Sheet<'_> {
    /// The text to print.
    pub fn text(&self, key: &Key) -> Secret {
        let Self { fileset, dataset, host, .. } = self;
        let pool = dataset.split('/').next().unwrap_or_default();
        let at = self.at.format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"));
        let (at, fingerprint) = (at.unwrap_or_default(), key.fingerprint());
        let (format, feed) = match self.format {
            KeyFormat::Raw => ("raw", "tr a-f A-F < /run/key | basenc --base16 -di"),
            KeyFormat::Hex => ("hex", "tr -d ' \\n' < /run/key"),
        };
        let before = format!(
            "{TITLE}\n\n\
             This key opens the backups of one fileset. Who has it and the disks can read\n\
             them; without it nobody can. Keep it away from both: on paper, in a safe.\n\n\
             fileset      {fileset}\n\
             dataset      {dataset}\n\
             pool         {pool}\n\
             keyformat    {format}\n\
             host         {host}\n\
             exported     {at}\n\
             fingerprint  {fingerprint}\n\n"
        );
        let after = format!(
            "\nThe last four digits of a row check the others; they are not of the key.\n\n\
             WITH PLANB, on the old machine or a new one, as root:\n\n    \
             planb key import {fileset}        # reads this sheet, or just its four rows\n\n\
             WITHOUT PLANB, on any machine with OpenZFS, as root: write the sixteen digits\n\
             of each row, one row below the other, into the file /run/key. Then:\n\n    \
             zpool import -N {pool}     # -f where another machine had it last\n    \
             {feed} |\n        zfs load-key -L prompt {dataset}\n    \
             rm /run/key\n    \
             mkdir -p /mnt/backup\n    \
             mount -t zfs -o ro,zfsutil {dataset} /mnt/backup\n    \
             ls /mnt/backup/.zfs/snapshot/             # each has the files in data/\n\n\
             Contents and times are as they were. Owners, special permissions, symbolic\n\
             links and devices are kept in extended attributes, and come back so:\n\n    \
             rsync -aAXHS --numeric-ids --fake-super -M--super \\\n        \
             /mnt/backup/.zfs/snapshot/SNAPSHOT/data/ /srv/restored/\n"
        );
        let mut text = Secret::with_room(before.len() + after.len() + 4 * LENGTH + 200);
        text.push(before.as_bytes());
        let hex = key.hex();
        for (number, digits) in hex.chunks(2 * ROW).enumerate() {
            text.push(format!("key {} ", number + 1).as_bytes());
            for group in digits.chunks(4) {
                text.push(b" ");
                text.push(group);
            }
            text.push(
                format!("  check {}\n", check(number + 1, &key.bytes()[number * ROW..][..ROW])).as_bytes(),
            );
        }
        text.push(after.as_bytes());
        text
    }
}

/// Reads the sheet of a fileset out of a text that may have those of others, too; or just the rows of a key.
/// `None` where it looks like neither.
pub fn read(text: &[u8], fileset: &Name) -> Option<Result<Key, Unreadable>> {
    // Not a String, which would have to be of UTF-8: who typed this may have added anything.
    let lines: Vec<Vec<&[u8]>> = text.split(|&c| c == b'\n').map(words).collect();
    let title = words(TITLE.as_bytes());
    if !lines.contains(&title) {
        let has_rows = lines.iter().any(|line| row_number(line).is_some());
        return has_rows.then(|| rows(&lines));
    }
    let sheets: Vec<&[Vec<&[u8]>]> = lines.split(|line| *line == title).skip(1).collect();
    let says = |sheet: &[Vec<&[u8]>], what: &[u8]| {
        let value = sheet.iter().find(|line| line.len() == 2 && line[0].eq_ignore_ascii_case(what))?;
        Some(String::from_utf8_lossy(value[1]).into_owned())
    };
    let wanted =
        |sheet: &&&[Vec<&[u8]>]| says(sheet, b"fileset").is_some_and(|name| name == fileset.as_str());
    let Some(sheet) = sheets.iter().find(wanted) else {
        let others = sheets.iter().filter_map(|sheet| says(sheet, b"fileset")).collect();
        return Some(Err(Unreadable::Another { fileset: fileset.clone(), others }));
    };
    Some(rows(sheet).and_then(|key| match says(sheet, b"fingerprint") {
        Some(said) if !said.eq_ignore_ascii_case(&key.fingerprint().to_string()) => {
            Err(Unreadable::Mixed { found: key.fingerprint(), said })
        }
        _ => Ok(key),
    }))
}

fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect()
}

/// `key 3 ...`
fn row_number(line: &[&[u8]]) -> Option<usize> {
    let [key, number, ..] = line else { return None };
    let number: usize = std::str::from_utf8(number).ok()?.trim_end_matches([':', '.']).parse().ok()?;
    (key.eq_ignore_ascii_case(b"key") && (1..=LENGTH / ROW).contains(&number)).then_some(number)
}

fn rows(lines: &[Vec<&[u8]>]) -> Result<Key, Unreadable> {
    let mut hex = Secret::with_room(2 * LENGTH);
    for row in 1..=LENGTH / ROW {
        let mut found = lines.iter().filter(|line| row_number(line) == Some(row));
        let line = found.next().ok_or(Unreadable::Missing { row })?;
        if found.next().is_some() {
            return Err(Unreadable::Twice { row });
        }
        let mut digits = Secret::with_room(2 * ROW + 4);
        for word in line[2..].iter().filter(|word| !word.eq_ignore_ascii_case(b"check")) {
            if !word.iter().all(u8::is_ascii_hexdigit) || digits.len() + word.len() > 2 * ROW + 4 {
                return Err(Unreadable::Row { row });
            }
            digits.push(word);
        }
        if digits.len() != 2 * ROW + 4 {
            return Err(Unreadable::Row { row });
        }
        hex.push(&digits[..2 * ROW]);
        let bytes = bytes(&digits[..2 * ROW]);
        if !digits[2 * ROW..].eq_ignore_ascii_case(check(row, &bytes).as_bytes()) {
            return Err(Unreadable::Slip { row });
        }
    }
    // All of it are digits: only zeros are no key.
    Key::parse(&hex).map_err(|_| Unreadable::Row { row: 1 })
}

fn bytes(digits: &[u8]) -> Secret {
    let mut bytes = Secret::with_room(ROW);
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
    for pair in digits.chunks_exact(2) {
        bytes.push(&[value(pair[0]) << 4 | value(pair[1])]);
    }
    bytes
}

/// Four digits that change with any slip in the row, and with its place.
fn check(row: usize, bytes: &[u8]) -> String {
    let row = [u8::try_from(row).unwrap_or(0)];
    let digest = Sha256::new().chain_update(b"planb row\0").chain_update(row).chain_update(bytes).finalize();
    let mut text = String::new();
    for byte in &digest[..2] {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn name() -> Name {
        "acme-web1".parse().expect("a name")
    }

    fn sheet(key: &Key, format: KeyFormat) -> String {
        let fileset = name();
        let sheet = Sheet {
            fileset: &fileset,
            dataset: "tank/BACKUP/acme-web1",
            format,
            host: "backup1",
            at: datetime!(2026-11-25 04:14 UTC),
        };
        String::from_utf8(sheet.text(key).to_vec()).expect("text")
    }

    fn key() -> Key {
        Key::parse(&(0..32).collect::<Vec<u8>>()).expect("a key")
    }

    #[test]
    fn a_sheet_can_be_printed() {
        let text = sheet(&key(), KeyFormat::Raw);
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 80), "{text}");
        assert_eq!(text, include_str!("sheet.txt"), "{text}");
    }

    #[test]
    fn what_was_printed_is_read() {
        for format in [KeyFormat::Raw, KeyFormat::Hex] {
            let text = sheet(&key(), format);
            assert_eq!(read(text.as_bytes(), &name()), Some(Ok(key())));
            // As it may be typed.
            assert_eq!(
                read(text.to_uppercase().replace("ACME-WEB1", "acme-web1").as_bytes(), &name()),
                Some(Ok(key()))
            );
            let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("key ")).collect();
            assert_eq!(rows.len(), 4);
            assert_eq!(read(rows.join("\n").replace("  ", " ").as_bytes(), &name()), Some(Ok(key())));
        }
        let other = Key::random().expect("random");
        let both =
            sheet(&other, KeyFormat::Raw).replace("acme-web1", "other") + &sheet(&key(), KeyFormat::Raw);
        assert_eq!(read(both.as_bytes(), &name()), Some(Ok(key())));
        assert_eq!(read(key().bytes(), &name()), None);
        assert_eq!(read(&key().hex(), &name()), None);
    }

    #[test]
    fn every_slip_is_found_and_its_row_named() {
        let text = sheet(&key(), KeyFormat::Raw);
        let read = |text: String| read(text.as_bytes(), &name()).expect("a sheet").expect_err("a slip");
        for row in 1..=4 {
            let at = text.find(&format!("key {row} ")).expect("a row");
            let line = text[at..].lines().next().expect("a line");
            let digits = line.char_indices().skip("key 1".len()).filter(|(_, c)| c.is_ascii_hexdigit());
            // The letters of "check" are none.
            for (place, digit) in digits.filter(|(at, _)| !(26..33).contains(at)) {
                let mut wrong = line.to_owned();
                wrong.replace_range(place..=place, if digit == '0' { "8" } else { "0" });
                assert_eq!(read(text.replace(line, &wrong)), Unreadable::Slip { row }, "{wrong}");
            }
            assert_eq!(read(text.replace(line, "")), Unreadable::Missing { row });
            assert_eq!(read(text.replace(line, &format!("{line}\n{line}"))), Unreadable::Twice { row });
            assert_eq!(read(text.replace(line, &line[..line.len() - 1])), Unreadable::Row { row });
            assert_eq!(read(text.replace(line, &line.replace("check", "o0"))), Unreadable::Row { row });
        }
        let swapped = text.replace("key 1", "key X").replace("key 2", "key 1").replace("key X", "key 2");
        assert_eq!(read(swapped), Unreadable::Slip { row: 1 });
        let mixed = text.replace("fingerprint  c", "fingerprint  d");
        assert!(matches!(read(mixed), Unreadable::Mixed { .. }));
        let other = text.replace("acme-web1", "acme-web2");
        assert_eq!(read(other), Unreadable::Another { fileset: name(), others: vec!["acme-web2".into()] });
    }
}
