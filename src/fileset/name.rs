//! Names: of filesets, groups, tags, storages and datasets.
//!
//! One alphabet serves them all, because each becomes a file name, a part of a unit's name, a ZFS dataset component
//! and a D-Bus path element: lowercase letters, digits and `. _ -`, beginning and ending with a letter or digit. No
//! escaping is needed anywhere, no name can leave its directory, and none can be mistaken for an option.

use super::invalid::Invalid;
use super::word::word;

/// The longest name, in bytes. Unit names may have 255, ZFS dataset paths 255 with the snapshot.
pub const LONGEST: usize = 63;

/// Whether `text` is of the alphabet; the error calls it a `what`.
pub(super) fn check(what: &str, text: &str) -> Result<(), Invalid> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.is_empty() {
        return Err(Invalid::new(format!("a {what} cannot be empty")));
    }
    if let Some((at, wrong)) = text.char_indices().find(|&(_, c)| !(edge(c) || matches!(c, '.' | '_' | '-')))
    {
        let hint = if wrong.is_ascii_uppercase() { ", in lowercase" } else { "" };
        return Err(Invalid::at(
            at..at + wrong.len_utf8(),
            format!("{wrong:?} cannot be in a {what}: use a-z, 0-9, '.', '_' and '-'{hint}"),
        ));
    }
    if text.len() > LONGEST {
        return Err(Invalid::at(LONGEST..text.len(), format!("a {what} has at most {LONGEST} characters")));
    }
    for at in [0, text.len() - 1] {
        if !edge(char::from(text.as_bytes()[at])) {
            return Err(Invalid::at(
                at..at + 1,
                format!("a {what} begins and ends with a letter or a digit"),
            ));
        }
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        word!($(#[$doc])* $type, |text| check($what, text));

        impl AsRef<std::path::Path> for $type {
            fn as_ref(&self) -> &std::path::Path {
                self.0.as_ref()
            }
        }
    };
}

name!(
    /// A fileset's name: the stem of its drop-in file.
    Name,
    "fileset's name"
);
name!(
    /// A label that filesets share.
    Group,
    "group's name"
);
name!(
    /// A free label to select filesets by.
    Tag,
    "tag"
);
name!(
    /// The name of a `[storage.NAME]` table.
    StorageName,
    "storage's name"
);
name!(
    /// The one directory component (or ZFS component) that holds a fileset in its storage.
    DatasetName,
    "dataset's name"
);

impl From<&Name> for DatasetName {
    /// The default: a dataset is called as its fileset.
    fn from(name: &Name) -> Self {
        Self(name.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_closed() {
        for good in ["a", "0", "web1", "acme-web1.example_x", &"x".repeat(63)] {
            assert_eq!(good.parse::<Name>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for (bad, at) in [
            ("", None),
            ("Web1", Some(0..1)),
            ("-rf", Some(0..1)),
            ("web1.", Some(4..5)),
            ("..", Some(0..1)),
            ("a/b", Some(1..2)),
            ("a@b", Some(1..2)),
            ("wéb", Some(1..3)),
            ("a\n", Some(1..2)),
        ] {
            assert_eq!(bad.parse::<Name>().expect_err(bad).at, at, "{bad:?}");
        }
        assert!("x".repeat(64).parse::<Name>().is_err());
    }
}
