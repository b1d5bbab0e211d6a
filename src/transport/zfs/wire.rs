//! What the run, which is root, and its hands at the source, which are not, say to each other: orders one way, answers the
//! other, one JSON text a line. The stream itself goes another way.
//!
//! Whoever orders does not trust who answers: a line has a longest, whatever names something can be nothing but a name,
//! and what is not understood is no answer. What an answer says of the source is the source's own word: it decides what is
//! asked for next, and never what is destroyed here.

use crate::fileset::invalid::Invalid;
use crate::fileset::word::word;
use crate::transport::Failure;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::{OffsetDateTime, UtcOffset};

/// The longest line of either direction, in bytes: of a listing, which has a hundred for each snapshot.
pub const LONGEST: u64 = 256 << 20;

/// The user property that says of a snapshot on the source whose it is: its value is the [`CopyId`]'s.
pub const OURS: &str = "planb:copy";

/// zfs(8): of `DATASET@SNAPSHOT`.
const LONGEST_NAME: usize = 255;

word!(
    /// A file system or volume of the source, as the source calls it: `rpool/data`. No word of it means anything to a shell.
    Dataset,
    |text| components(text, "dataset")
);
word!(
    /// Where a dataset of the source goes below the fileset's own: `data`, or `data/mail`. Never empty, never absolute.
    Child,
    |text| components(text, "dataset")
);
word!(
    /// What stands behind the `@` of a snapshot or the `#` of a bookmark.
    Mark,
    mark
);
word!(
    /// What `zfs receive -s` left behind, by which `zfs send -t` goes on (`receive_resume_token` of zfsprops(7)).
    Token,
    |text| {
        let good = |c: char| c.is_ascii_hexdigit() || c == '-';
        let whole = text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= 16 * 1024;
        if whole && text.chars().all(good) { Ok(()) } else { Err(Invalid::new("is not a resume token")) }
    }
);

/// Which copy of the source this is: the GUID of the container, the fileset's own dataset in the storage.
///
/// It survives that fileset and dataset get other names, and two backup hosts of one source have two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CopyId(pub u64);

impl CopyId {
    /// What a snapshot of ours is called on the source: `planb-20260102T030405Z-0123456789abcdef`. Here it gets a name of
    /// the storage's.
    pub fn snapshot(self, at: OffsetDateTime) -> Mark {
        let at = at.to_offset(UtcOffset::UTC);
        let (date, time) = (at.date(), at.time());
        Mark(format!(
            "planb-{:04}{:02}{:02}T{:02}{:02}{:02}Z-{self}",
            date.year().clamp(0, 9999),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        ))
    }

    /// Whether a name is one of those. Bookmarks have no properties: it is all they tell.
    pub fn names(self, mark: &Mark) -> bool {
        let middle = mark.0.strip_prefix("planb-").and_then(|rest| rest.strip_suffix(&format!("-{self}")));
        middle.is_some_and(|stamp| {
            stamp.len() == "20260102T030405Z".len()
                && stamp.char_indices().all(|(at, c)| match at {
                    8 => c == 'T',
                    15 => c == 'Z',
                    _ => c.is_ascii_digit(),
                })
        })
    }
}

impl fmt::Display for CopyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What is to be done at the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Say what there is: [`Answer::Listed`].
    List,
    /// Snapshot these datasets at one moment (for each pool of the source): [`Answer::Snapshots`].
    Snapshot { name: Mark, datasets: Vec<Dataset> },
    /// Send one snapshot into the stream, whose end is the stream's end: [`Answer::Sent`].
    Send(Send),
    /// Go on where a stream broke off: [`Answer::Sent`].
    Resume { token: Token },
    /// Guard what the next transfers build on, then let go what earlier ones did, and prune: [`Answer::Kept`].
    Keep { bases: Vec<Base> },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub dataset: Dataset,
    pub snapshot: Mark,
    pub from: From,
    /// As it lies on the source's disks, encrypted where it is.
    pub raw: bool,
    /// With the dataset's properties (`zfs send -p`), for the receiving side to choose from.
    pub properties: bool,
}

/// What the other side has already, and the stream builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    Nothing,
    Snapshot(Mark),
    Bookmark(Mark),
}

/// What the next transfer of a dataset builds on: a snapshot of ours that is safely here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    pub dataset: Dataset,
    pub snapshot: Mark,
    pub guid: u64,
}

/// What became of an order. While it is carried out, progress and notices are told as of every transport.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    Listed(Listing),
    /// Made, of all that were asked for, in that order.
    Snapshots(Vec<Snapshot>),
    /// The source's zfs ended well, and all it sent is in the stream: so many bytes.
    Sent {
        bytes: u64,
    },
    /// Done as far as it could be; what could not was told. The bases of `unguarded` are neither held nor bookmarked: what
    /// guards the one before is still there.
    Kept {
        unguarded: Vec<Dataset>,
    },
    /// It cannot be done, for a reason that the one who ordered can do something about. Nothing, or not all, is in the stream.
    Cannot {
        why: Why,
        reason: String,
    },
    /// It cannot be done, and the run with it.
    Failed(Failure),
}

/// Why an order cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// What the token would go on with is not on the source any more, or not as it was: send it from its beginning.
    TokenGone,
    /// What the stream should build on is not there: build on something else.
    BaseGone,
    /// What the stream should build on is no ancestor of the snapshot: the source was rolled back or made anew.
    BaseNotEarlier,
    /// The snapshot, or its whole dataset, is not there.
    SnapshotGone,
    /// The source's login is not allowed to; `reason` has the remedy.
    NotAllowed,
    /// The source has no room for a snapshot.
    NoRoom,
    /// There is a snapshot of that name.
    Taken,
    /// It is encrypted, its key is not loaded, and it was not asked for raw.
    KeyNotLoaded,
    /// Nobody takes the stream any more.
    NotTaken,
}

/// What there is on the source, as far as the fileset is about it: after `recursive`, `exclude` and renaming.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Parents before their children.
    pub datasets: Vec<Source>,
    /// Named in the configuration, and not there.
    pub missing: Vec<Dataset>,
}

/// One dataset of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub dataset: Dataset,
    pub child: Child,
    pub kind: Kind,
    pub guid: u64,
    /// Absent: it is not encrypted.
    pub encryption: Option<Encryption>,
    /// Bytes that it holds itself, as it is now.
    pub referenced: u64,
    /// Oldest first. Those whose name is none that we could say are left out.
    pub snapshots: Vec<Snapshot>,
    /// Likewise.
    pub bookmarks: Vec<Bookmark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Filesystem,
    Volume,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// Whose key it has.
    pub root: Dataset,
    pub key_is_loaded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub dataset: Dataset,
    pub name: Mark,
    pub guid: u64,
    /// The pool's transaction in which it was made: what orders snapshots and bookmarks of a dataset.
    pub createtxg: u64,
    /// Bytes written since the snapshot before it, whosever that is. Nothing changed in between when it is 0.
    pub written: u64,
    /// Bytes that it holds.
    pub referenced: u64,
    /// This copy's own.
    pub is_ours: bool,
    /// Somebody holds it, we or another.
    pub is_held: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bookmark {
    pub name: Mark,
    /// The snapshot's that it was made of.
    pub guid: u64,
    /// Likewise.
    pub createtxg: u64,
    pub is_ours: bool,
}

/// The components of a dataset's name. zfs(8) has blanks beside these, which no shell leaves alone.
fn components(text: &str, what: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if let Some((at, wrong)) = text.char_indices().find(|&(_, c)| !allowed(c) && c != '/') {
        return Err(Invalid::at(
            at..at + wrong.len_utf8(),
            format!(
                "{wrong:?} cannot be in the name of a {what} here, but letters, digits, '_', '-', '.', ':'"
            ),
        ));
    }
    let mut start = 0;
    for component in text.split('/') {
        let at = start..start + component.len();
        start = at.end + 1;
        if component.is_empty() {
            return Err(Invalid::new(format!("a component is missing: write a {what} as \"rpool/data\"")));
        }
        if !component.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Invalid::at(
                at,
                format!("{component:?} is not the name of a {what}: it begins with a letter, a digit or '_'"),
            ));
        }
    }
    if text.len() >= LONGEST_NAME {
        return Err(Invalid::at(LONGEST_NAME - 1..text.len(), format!("the name of a {what} is shorter")));
    }
    Ok(())
}

fn mark(text: &str) -> Result<(), Invalid> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if text.is_empty() || text.len() >= LONGEST_NAME || !text.chars().all(good) {
        return Err(Invalid::new("is not the name of a snapshot that we could say to a shell"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn no_name_means_anything_to_a_shell_or_is_an_option() {
        for bad in
            ["", "/a", "a/", "a//b", "a b", "a@b", "a#b", "a/..", "-r", "a/-r", "a;b", "a\nb", "a%b", "ä"]
        {
            bad.parse::<Dataset>().expect_err(bad);
            bad.parse::<Child>().expect_err(bad);
        }
        for good in ["rpool", "rpool/ROOT/debian_1", "a/b:c", "0/_x"] {
            good.parse::<Dataset>().expect(good);
        }
        for bad in ["", "a b", "a/b", "a@b", "a,b", "$(id)", "a%b", &"x".repeat(255)] {
            bad.parse::<Mark>().expect_err(bad);
        }
        for bad in ["", "-x", "1-$(id)", "1 2", "x"] {
            bad.parse::<Token>().expect_err(bad);
        }
        "1-e604ea4bf-e0-789c63a2".parse::<Token>().expect("a token");
        serde_json::from_str::<Order>(r#"{"resume":{"token":"-r"}}"#).expect_err("nothing slips through");
    }

    #[test]
    fn a_name_of_ours_tells_the_copy() {
        let (one, other) = (CopyId(0x0123_4567_89ab_cdef), CopyId(7));
        let name = one.snapshot(datetime!(2026-01-02 04:04:05 +1));
        assert_eq!(name.as_str(), "planb-20260102T030405Z-0123456789abcdef");
        assert!(one.names(&name) && !other.names(&name));
        for foreign in [
            "planb-20260102T0304Z",
            "planb-20260102T030405Z-0123456789abcdef.x",
            "auto",
            "planb-x-0123456789abcdef",
        ] {
            assert!(!one.names(&foreign.parse().expect("a name")), "{foreign}");
        }
    }
}
