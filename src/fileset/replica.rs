//! Words of datasets that are copies of another host's: what is there, what is here, and what each is called.

use super::invalid::Invalid;
use super::word::word;
use serde::{Deserialize, Serialize};
use std::fmt;
use time::{OffsetDateTime, UtcOffset};

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

impl Child {
    /// Those above it, the topmost first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        self.0.match_indices('/').map(|(at, _)| Self(self.0[..at].to_owned()))
    }

    /// What it is called once `from`, which it is or is below of, is called `to`.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        let below = self.0.strip_prefix(&from.0)?;
        (below.is_empty() || below.starts_with('/')).then(|| Self(format!("{to}{below}")))
    }
}

/// What a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Filesystem,
    Volume,
}

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
        serde_json::from_str::<Token>("\"-r\"").expect_err("nothing slips through");
    }

    #[test]
    fn what_is_below_moves_along() {
        let child = |text: &str| text.parse::<Child>().expect("a name");
        let ancestors: Vec<String> = child("a/b/c").ancestors().map(|above| above.to_string()).collect();
        assert_eq!(ancestors, ["a", "a/b"]);
        let moved = |of: &str| child(of).moved(&child("a"), &child("x/y")).map(|moved| moved.to_string());
        assert_eq!(moved("a").as_deref(), Some("x/y"));
        assert_eq!(moved("a/b").as_deref(), Some("x/y/b"));
        assert_eq!((moved("ab"), moved("b/a")), (None, None));
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
