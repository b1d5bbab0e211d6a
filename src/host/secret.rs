//! Bytes that nobody may see.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use zeroize::Zeroizing;

/// Bytes that are overwritten when they are dropped and never shown.
///
/// Their room is taken at once: a buffer that grows moves, and leaves what it held where it was.
pub struct Secret {
    bytes: Zeroizing<Vec<u8>>,
    room: usize,
}

impl Secret {
    pub fn with_room(bytes: usize) -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(bytes)), room: bytes }
    }

    /// Appends, and tells whether there was room for it; where there was not, nothing is changed.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let fits = self.bytes.len() + bytes.len() <= self.room;
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        fits
    }

    /// Reads to the end, at most `limit` bytes; `None` where there are more. Where nothing more comes from a pipe that is
    /// still open and does not block, that is the end.
    pub fn read(mut from: impl Read, limit: usize) -> io::Result<Option<Self>> {
        // One more, to tell "all of it" from "as much as there was room for".
        let mut bytes = Zeroizing::new(vec![0; limit + 1]);
        let mut length = 0;
        while length < bytes.len() {
            match from.read(&mut bytes[length..]) {
                Ok(0) => break,
                Ok(n) => length += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(length);
        Ok((length <= limit).then_some(Self { bytes, room: limit }))
    }

    /// Fresh ones, from the kernel.
    pub fn random(bytes: usize) -> io::Result<Self> {
        // Early in a boot this waits until there is something to draw from.
        let mut source =
            File::options().read(true).custom_flags(OFlag::O_NOCTTY.bits()).open("/dev/random")?;
        let mut fresh = Self::from(vec![0; bytes]);
        source.read_exact(&mut fresh.bytes)?;
        Ok(fresh)
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self { room: bytes.len(), bytes: Zeroizing::new(bytes) }
    }
}

impl Deref for Secret {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Keeps what this process has in its memory out of core dumps, and of the reach of other processes of its user. Its
/// children dump no core either.
///
/// The memory may still be swapped out: units forbid that (`MemorySwapMax=0`), other callers have the system's swap.
pub fn forbid_dumps() -> Result<(), Errno> {
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_the_room_it_was_given_and_is_not_shown() {
        let mut secret = Secret::with_room(4);
        assert!(secret.push(b"ab") && !secret.push(b"cde") && secret.push(b"cd"));
        assert_eq!((&*secret, format!("{secret:?}").as_str()), (&b"abcd"[..], "Secret(..)"));
    }

    #[test]
    fn reading_is_bounded() {
        assert_eq!(&*Secret::read(&b"abcd"[..], 4).expect("read").expect("fits"), b"abcd");
        assert!(Secret::read(&b"abcde"[..], 4).expect("read").is_none());
        assert!(Secret::read(File::open("/dev/zero").expect("a device"), 100).expect("read").is_none());
    }

    #[test]
    fn random_ones_differ() {
        let (one, other) = (Secret::random(32).expect("random"), Secret::random(32).expect("random"));
        assert!(one.len() == 32 && *one != *other);
    }

    #[test]
    fn no_core_is_dumped() {
        forbid_dumps().expect("allowed");
        assert_eq!(prctl::get_dumpable(), Ok(false));
        let limits = std::fs::read_to_string("/proc/self/limits").expect("one's own");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    }
}
