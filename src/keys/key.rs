//! The key itself, and the ways in which it is written.

use crate::host::secret::Secret;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io;

/// Bytes of a key.
pub const LENGTH: usize = 32;

/// More than any way to write a key takes.
pub const LONGEST: usize = 2 * LENGTH + 2;

/// 32 bytes that nobody may see.
pub struct Key(Secret);

/// How a dataset wants its key to be written, `keyformat` of zfsprops(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    Raw,
    Hex,
}

/// What may be known of a key by everybody: it tells keys apart and opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

/// Bytes that are no key. Says nothing of what they are.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    #[error("it is empty")]
    Empty,
    #[error("it has {length} bytes: a key is 32 bytes, or 64 hexadecimal digits and perhaps a line's end")]
    Length { length: usize },
    #[error("it is 32 bytes with a line's end after them, which only digits may have")]
    NewLine,
    #[error("it is as long as 64 hexadecimal digits, and has other characters in it")]
    Digits,
    #[error("it is all zeros: what was meant to write a key did not")]
    Zeros,
    #[error("it is longer than any key: a key is 32 bytes, or 64 hexadecimal digits")]
    TooLong,
}

impl Key {
    /// A new one.
    pub fn random() -> io::Result<Self> {
        Secret::random(LENGTH).map(Self)
    }

    /// Of what was read: 32 bytes as they are, or 64 hexadecimal digits.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAKey> {
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let mut raw = Secret::with_room(LENGTH);
        match (bytes.len(), text.len()) {
            (0, _) => return Err(NotAKey::Empty),
            (LENGTH, _) => drop(raw.push(bytes)),
            (_, length) if length == 2 * LENGTH => {
                for pair in text.chunks_exact(2) {
                    let (high, low) = (digit(pair[0])?, digit(pair[1])?);
                    raw.push(&[high << 4 | low]);
                }
            }
            (_, LENGTH) => return Err(NotAKey::NewLine),
            (length, _) => return Err(NotAKey::Length { length }),
        }
        if raw.iter().all(|&byte| byte == 0) {
            return Err(NotAKey::Zeros);
        }
        Ok(Self(raw))
    }

    /// Of what was read, if it was not too long to be read whole.
    pub(super) fn of(read: Option<&Secret>) -> Result<Self, NotAKey> {
        Self::parse(read.ok_or(NotAKey::TooLong)?)
    }

    /// As `zfs load-key` reads a key of `keyformat=raw`.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same, to be given to a program.
    pub fn raw(&self) -> Secret {
        let mut raw = Secret::with_room(LENGTH);
        raw.push(&self.0);
        raw
    }

    /// As `zfs load-key` reads a key of `keyformat=hex`: 64 digits.
    pub fn hex(&self) -> Secret {
        let mut hex = Secret::with_room(2 * LENGTH);
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                hex.push(&[if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }]);
            }
        }
        hex
    }

    pub fn written(&self, format: KeyFormat) -> Secret {
        match format {
            KeyFormat::Raw => self.raw(),
            KeyFormat::Hex => self.hex(),
        }
    }

    /// A quarter of a digest: enough to tell keys apart, and no help in finding one.
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::new().chain_update(b"planb key\0").chain_update(&*self.0).finalize();
        let text: Vec<String> =
            digest[..8].chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
        Fingerprint(text.join("-"))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn digit(c: u8) -> Result<u8, NotAKey> {
    match c {
        b'0'..=b'9' => Ok(c - b'0'),
        b'a'..=b'f' => Ok(c - b'a' + 10),
        b'A'..=b'F' => Ok(c - b'A' + 10),
        _ => Err(NotAKey::Digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &[u8; 64] = b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn raw() -> Vec<u8> {
        (0..32).collect()
    }

    #[test]
    fn a_key_is_32_bytes_or_64_digits() {
        for written in [
            raw(),
            HEX.to_vec(),
            HEX.to_ascii_uppercase(),
            [&HEX[..], b"\n"].concat(),
            [&HEX[..], b"\r\n"].concat(),
        ] {
            let key = Key::parse(&written).expect("a key");
            assert_eq!((key.bytes(), &*key.raw(), &*key.hex()), (&*raw(), &*raw(), &HEX[..]));
        }
        // A raw key may end in what is a line's end elsewhere.
        let odd = [&raw()[..31], b"\n"].concat();
        assert_eq!(Key::parse(&odd).expect("a key").bytes(), odd);
    }

    #[test]
    fn anything_else_is_none() {
        for (bad, why) in [
            (vec![], NotAKey::Empty),
            (vec![1; 31], NotAKey::Length { length: 31 }),
            ([&raw()[..], b"\n"].concat(), NotAKey::NewLine),
            ([&HEX[..], b"\n\n"].concat(), NotAKey::Length { length: 66 }),
            (vec![b'g'; 64], NotAKey::Digits),
            (vec![0; 32], NotAKey::Zeros),
            (vec![b'0'; 64], NotAKey::Zeros),
        ] {
            assert_eq!(Key::parse(&bad), Err(why));
        }
    }

    #[test]
    fn a_fingerprint_stays_what_it_is() {
        // Old sheets and records have it.
        assert_eq!(Key::parse(HEX).expect("a key").fingerprint().to_string(), "c816-21be-5dcb-d224");
        let (one, other) = (Key::random().expect("random"), Key::random().expect("random"));
        assert!(one != other && one.fingerprint() != other.fingerprint());
        assert_eq!(format!("{one:?}"), "Key(..)");
    }
}
