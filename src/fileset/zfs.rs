//! Names of ZFS file systems.

use super::invalid::Invalid;
use super::name::DatasetName;
use super::word::word;
use std::path::{Path, PathBuf};

/// The longest name of a parent. zfs(8) has 255 characters for all of `PARENT/DATASET@SNAPSHOT`, and the longest dataset
/// (63) with the longest label (63) and a time leaves so many.
const LONGEST: usize = 110;

word!(
    /// A file system of a pool, as `tank/BACKUP`, or a pool: cannot be a snapshot, a bookmark, or an option.
    Filesystem,
    check
);

impl Filesystem {
    /// The first component.
    pub fn pool(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// Where it is mounted if nobody says otherwise.
    pub fn usual_path(&self) -> PathBuf {
        Path::new("/").join(&self.0)
    }

    /// For what file systems have in common with directories: being above each other.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// It and those above it, the pool first.
    pub fn with_ancestors(&self) -> impl Iterator<Item = &str> {
        let ends = self.0.match_indices('/').map(|(at, _)| at).chain([self.0.len()]);
        ends.map(|end| &self.0[..end])
    }

    /// The full name of a dataset below it.
    pub fn child(&self, dataset: &DatasetName) -> String {
        format!("{}/{dataset}", self.0)
    }
}

fn check(text: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let example = "write it as \"tank/BACKUP\"";
    if let Some((at, wrong)) = text.char_indices().find(|&(_, c)| !allowed(c) && c != '/') {
        return Err(Invalid::at(
            at..at + wrong.len_utf8(),
            format!(
                "{wrong:?} cannot be in the name of a ZFS file system here, but letters, digits, '_', '-', '.', ':'"
            ),
        ));
    }
    if text.starts_with('/') {
        return Err(Invalid::at(
            0..1,
            format!("the name of a ZFS file system begins with its pool: {example}"),
        ));
    }
    let mut start = 0;
    for component in text.split('/') {
        let at = start..start + component.len();
        start = at.end + 1;
        if component.is_empty() {
            return Err(Invalid::new(format!("a component is missing: {example}")));
        }
        let pool = at.start == 0;
        let good = |c: char| c.is_ascii_alphabetic() || (!pool && (c.is_ascii_digit() || c == '_'));
        if !component.starts_with(good) {
            let what = if pool {
                "a pool's name begins with a letter"
            } else {
                "it begins with a letter, a digit or '_'"
            };
            return Err(Invalid::at(
                at,
                format!("{component:?} is not the name of a ZFS file system: {what}"),
            ));
        }
    }
    if text.len() > LONGEST {
        return Err(Invalid::at(
            LONGEST..text.len(),
            format!(
                "the parent of datasets has at most {LONGEST} characters, to leave room for their snapshots"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_nothing_else() {
        for good in ["tank", "tank/BACKUP", "t-1.x:y/_a/0", &format!("tank/{}", "x".repeat(105))] {
            assert_eq!(good.parse::<Filesystem>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for (bad, at) in [
            ("", None),
            ("/tank", Some(0..1)),
            ("tank/", None),
            ("tank//a", None),
            ("tank/a@b", Some(6..7)),
            ("tank/a#b", Some(6..7)),
            ("tank/a b", Some(6..7)),
            ("tank/a%b", Some(6..7)),
            ("tänk", Some(1..3)),
            ("-r", Some(0..2)),
            ("tank/-r", Some(5..7)),
            ("tank/..", Some(5..7)),
            ("0tank", Some(0..5)),
            (&format!("tank/{}", "x".repeat(106)), Some(110..111)),
        ] {
            assert_eq!(bad.parse::<Filesystem>().expect_err(bad).at, at, "{bad:?}");
        }
    }

    #[test]
    fn the_longest_snapshot_has_room() {
        let longest = LONGEST + "/".len() + 63 + "@".len() + 63 + "-20260102T0304Z".len();
        assert!(longest <= 255, "{longest}");
    }

    #[test]
    fn ancestors_begin_with_the_pool() {
        let name: Filesystem = "tank/a/b".parse().expect("a name");
        assert_eq!(name.with_ancestors().collect::<Vec<_>>(), ["tank", "tank/a", "tank/a/b"]);
        assert_eq!((name.pool(), name.usual_path()), ("tank", "/tank/a/b".into()));
    }
}
