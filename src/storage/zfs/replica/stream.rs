//! The beginning of a stream, which tells what it is: `dmu_replay_record` of OpenZFS, `include/sys/zfs_ioctl.h`.
//!
//! Root receives what a stranger sends. `zfs receive` understands streams that make whole trees of datasets, set their
//! properties and rename what is there. None of that comes past here: a stream has to be of one snapshot, that which was
//! asked for, and bare.

use super::receive::Expected;
use crate::fileset::replica::Kind;

/// How long the first record is, whatever comes after it.
pub const RECORD: usize = 312;

const BEGIN: u32 = 0;
const MAGIC: u64 = 0x0002_f5ba_cbac;
/// `DMU_GET_STREAM_HDRTYPE`: neither the wrapping of many streams (2) nor what has properties with it.
const SUBSTREAM: u64 = 1;
const HEADER_TYPE: u64 = 0b11;
/// `DMU_BACKUP_FEATURE_RAW`, behind the two bits of the type.
const RAW: u64 = 1 << (24 + 2);
/// `DMU_OST_ZFS`, `DMU_OST_ZVOL`.
const FILESYSTEM: u32 = 2;
const VOLUME: u32 = 3;

/// What is wrong with a stream, if it is not what is expected.
pub fn complaint(record: &[u8; RECORD], expected: &Expected<'_>) -> Option<String> {
    let Some(begin) = Begin::read(record) else { return Some("it is no stream of zfs".into()) };
    if begin.version & HEADER_TYPE != SUBSTREAM {
        return Some("it is a package of streams, or has properties with it".into());
    }
    let kind = match expected.kind {
        Kind::Filesystem => FILESYSTEM,
        Kind::Volume => VOLUME,
    };
    if begin.kind != kind {
        return Some("it is of another kind of dataset".into());
    }
    if begin.to != expected.guid {
        return Some(format!("it is of the snapshot with the GUID {}, not {}", begin.to, expected.guid));
    }
    match expected.base {
        Some(base) if begin.from != base => {
            Some(format!("it builds on the snapshot with the GUID {}, not {base}", begin.from))
        }
        _ if begin.version & RAW != 0 && !expected.raw => Some("it is raw".into()),
        _ => None,
    }
}

/// What matters of `struct drr_begin`.
struct Begin {
    version: u64,
    kind: u32,
    to: u64,
    /// 0 where it builds on nothing.
    from: u64,
}

impl Begin {
    /// Written in the order of bytes of whoever sent it.
    fn read(record: &[u8; RECORD]) -> Option<Self> {
        let (first, long) = (word(record, 0), |at| word::<8>(record, at));
        let little = u64::from_le_bytes(long(8)) == MAGIC;
        if !little && u64::from_be_bytes(long(8)) != MAGIC {
            return None;
        }
        let number = |at| if little { u64::from_le_bytes(long(at)) } else { u64::from_be_bytes(long(at)) };
        let short = |bytes| if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        (short(first) == BEGIN).then(|| Self {
            version: number(16),
            kind: short(word(record, 32)),
            to: number(40),
            from: number(48),
        })
    }
}

fn word<const N: usize>(record: &[u8; RECORD], at: usize) -> [u8; N] {
    std::array::from_fn(|i| record[at + i])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: u64 = 0xc471_a5de_d093_4eb8;
    const BASE: u64 = 0x5233_2e6d_46ef_bbd0;

    /// As `zfs send -i @a src/data@c` began, on amd64.
    fn record() -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(8, &[0xac, 0xcb, 0xba, 0xf5, 0x02]);
        put(16, &[0x11]);
        put(32, &[2]);
        put(36, &[0x0c]);
        put(40, &GUID.to_le_bytes());
        put(48, &BASE.to_le_bytes());
        put(56, b"src/data@c");
        record
    }

    fn complains(record: &[u8; RECORD], change: impl FnOnce(&mut Expected<'_>)) -> Option<String> {
        let (child, source) = ("data".parse().expect("a name"), "src/data".parse().expect("a name"));
        let mut expected = Expected {
            child: &child,
            source: &source,
            name: "planb-20260102T0304Z",
            kind: Kind::Filesystem,
            is_new: false,
            guid: GUID,
            base: Some(BASE),
            raw: false,
        };
        change(&mut expected);
        complaint(record, &expected)
    }

    #[test]
    fn only_what_was_asked_for_comes_in() {
        let good = record();
        assert_eq!(complains(&good, |_| ()), None);
        assert_eq!(complains(&good, |expected| expected.base = None), None);
        assert!(complains(&good, |expected| expected.guid = 1).is_some());
        assert!(complains(&good, |expected| expected.base = Some(0)).is_some());
        assert!(complains(&good, |expected| expected.kind = Kind::Volume).is_some());
        let changed = |at: usize, byte: u8| {
            let mut record = good;
            record[at] = byte;
            complains(&record, |_| ())
        };
        // zfs send -p and -R.
        assert!(changed(16, 0x02).expect("refused").contains("package"));
        assert!(changed(16, 0x13).is_some());
        assert!(changed(19, 0x05).expect("refused").contains("raw"));
        for at in [0, 8, 12] {
            assert_eq!(changed(at, 9).as_deref(), Some("it is no stream of zfs"), "{at}");
        }
    }

    #[test]
    fn a_source_may_write_its_numbers_the_other_way_round() {
        let mut record = [0; RECORD];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        put(8, &MAGIC.to_be_bytes());
        put(16, &(0x11_u64 | RAW).to_be_bytes());
        put(32, &2_u32.to_be_bytes());
        put(40, &GUID.to_be_bytes());
        put(48, &BASE.to_be_bytes());
        assert!(complains(&record, |_| ()).expect("refused").contains("raw"));
        assert_eq!(complains(&record, |expected| expected.raw = true), None);
    }
}
