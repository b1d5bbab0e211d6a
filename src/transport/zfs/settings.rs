//! What a `[zfs]` table comes to once it is valid, and its words.

use super::wire::{Child, Dataset};
use crate::fileset::invalid::Invalid;
use crate::fileset::quantity::Size;
use crate::fileset::word::word;
use crate::transport::ssh::login::Login;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A valid `[zfs]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own, and none follows from another")]
pub struct Settings {
    pub login: Login,
    /// Never empty; no two have one child, and none is within another where `recursive`.
    pub datasets: Vec<Selected>,
    /// With all that is below them.
    pub recursive: bool,
    /// What of that is left out.
    pub exclude: Vec<Exclude>,
    pub raw: Raw,
    /// Blocks are sent as they are compressed on the source's disks.
    pub compressed: bool,
    /// Blocks of more than 128 KiB stay whole.
    pub large_block: bool,
    /// Bytes a second, absent for no limit.
    pub bwlimit: Option<Size>,
    /// How many snapshots of ours stay on the source. At least one: the base of the next transfer.
    pub source_keep: u16,
    /// What destroys snapshots on the source runs under sudo there.
    pub sudo: bool,
}

/// A dataset of the source, and what it is called below the fileset's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selected {
    pub dataset: Dataset,
    /// One component.
    pub child: Child,
}

/// Whether datasets come as they lie on the source's disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Raw {
    /// Those that are encrypted there.
    Auto,
    Always,
    Never,
}

word!(
    /// Datasets of the source that are left out, with all below them: a name, in which `*` stands for anything within one
    /// component.
    Exclude,
    |text| text
        .replace('*', "x")
        .parse::<Dataset>()
        .map(|_| ())
        .map_err(|invalid| Invalid { message: invalid.message.replace("'-', '.', ':'", "'-', '.', ':' and '*'"), ..invalid })
);

impl Exclude {
    /// Whether it leaves out that dataset.
    pub fn matches(&self, dataset: &str) -> bool {
        let mut names = dataset.split('/');
        self.as_str().split('/').all(|pattern| names.next().is_some_and(|name| fits(pattern, name)))
    }
}

/// Whether `name` is as `pattern`, a star standing for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|left| {
            left.char_indices().map(|(at, _)| at).chain([left.len()]).any(|at| fits(rest, &left[at..]))
        }),
    }
}

impl FromStr for Selected {
    type Err = Invalid;

    /// `rpool/data`, which is called `data`, or `rpool/data:mail`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(at) = text.find('@') {
            return Err(Invalid::at(at..text.len(), "a snapshot is none of these: name its dataset alone"));
        }
        let (dataset, child) = match text.rsplit_once(':') {
            Some(parts) => parts,
            None => (text, text.rsplit('/').next().unwrap_or(text)),
        };
        let dataset: Dataset = dataset.parse()?;
        let start = text.len() - child.len();
        if child.contains('/') {
            return Err(Invalid::at(
                start..text.len(),
                format!(
                    "{child:?} is not what a dataset can be called here, but one word of it, as in \"{dataset}:mail\""
                ),
            ));
        }
        let child = child.parse().map_err(|invalid: Invalid| Invalid {
            at: Some(invalid.at.map_or(start..text.len(), |at| at.start + start..at.end + start)),
            ..invalid
        })?;
        Ok(Self { dataset, child })
    }
}

impl Settings {
    /// What the dataset is called below the fileset's own; `None` where the fileset is not about it.
    pub fn child(&self, dataset: &Dataset) -> Option<Child> {
        if self.leaves_out(dataset.as_str()) {
            return None;
        }
        self.datasets.iter().find_map(|selected| {
            let below = dataset.as_str().strip_prefix(selected.dataset.as_str())?;
            match below {
                "" => Some(selected.child.clone()),
                _ if self.recursive && below.starts_with('/') => {
                    format!("{}{below}", selected.child).parse().ok()
                }
                _ => None,
            }
        })
    }

    /// Whether a dataset, whatever its name, is none that is wanted.
    pub fn leaves_out(&self, dataset: &str) -> bool {
        let wanted = |selected: &Selected| {
            let below = dataset.strip_prefix(selected.dataset.as_str());
            below.is_some_and(|below| below.is_empty() || self.recursive && below.starts_with('/'))
        };
        !self.datasets.iter().any(wanted) || self.exclude.iter().any(|exclude| exclude.matches(dataset))
    }

    /// Whether a dataset comes as it lies on the source's disks.
    pub fn is_raw(&self, is_encrypted: bool) -> bool {
        match self.raw {
            Raw::Auto => is_encrypted,
            Raw::Always => true,
            Raw::Never => false,
        }
    }
}

impl fmt::Display for Settings {
    /// As `planb list` shows it: `web1.example:rpool/data`, with what is not shown as a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.datasets.first().map_or("", |selected| selected.dataset.as_str());
        write!(f, "{}:{first}", self.login.host)?;
        match self.datasets.len() {
            0 | 1 => Ok(()),
            more => write!(f, " and {} more", more - 1),
        }
    }
}

#[cfg(test)]
pub(in crate::transport) mod tests {
    use super::*;

    pub fn settings(datasets: &[&str], exclude: &[&str], recursive: bool) -> Settings {
        Settings {
            login: Login {
                host: "web1".parse().expect("a host"),
                user: "remotebackup".parse().expect("a user"),
                port: 22,
                identity: None,
                jump: None,
                options: Vec::new(),
            },
            datasets: datasets.iter().map(|text| text.parse().expect("a dataset")).collect(),
            recursive,
            exclude: exclude.iter().map(|text| text.parse().expect("a pattern")).collect(),
            raw: Raw::Auto,
            compressed: true,
            large_block: true,
            bwlimit: None,
            source_keep: 3,
            sudo: false,
        }
    }

    #[test]
    fn a_dataset_is_called_as_it_ends_or_as_it_says() {
        let read =
            |text: &str| text.parse::<Selected>().map(|s| (s.dataset.to_string(), s.child.to_string()));
        let called = |dataset: &str, child: &str| Ok((dataset.to_owned(), child.to_owned()));
        assert_eq!(read("rpool/data"), called("rpool/data", "data"));
        assert_eq!(read("rpool"), called("rpool", "rpool"));
        assert_eq!(read("rpool/vm/disk1:Disk-1"), called("rpool/vm/disk1", "Disk-1"));
        assert_eq!(read("rpool/a:b:c"), called("rpool/a:b", "c"));
        for bad in [
            "",
            ":",
            "rpool:",
            ":x",
            "rpool/",
            "/rpool",
            "rpool:a/b",
            "rpool@x",
            "rpool/a b",
            "-r",
            "rpool:-x",
            "rpool:..",
        ] {
            read(bad).expect_err(bad);
        }
    }

    #[test]
    fn what_is_below_goes_with_it_only_where_that_was_asked_for() {
        let child = |s: &Settings, name: &str| s.child(&name.parse().expect("a name")).map(|c| c.to_string());
        let flat = settings(&["rpool/data:d", "rpool/data/sub"], &[], false);
        assert_eq!(child(&flat, "rpool/data").as_deref(), Some("d"));
        assert_eq!(child(&flat, "rpool/data/sub").as_deref(), Some("sub"));
        assert_eq!(child(&flat, "rpool/data/other"), None);
        let deep = settings(&["rpool/data"], &["rpool/data/*/tmp", "rpool/*/cache*"], true);
        for (name, wanted) in [
            ("rpool/data", Some("data")),
            ("rpool/data/a/b", Some("data/a/b")),
            ("rpool/data/tmp", Some("data/tmp")),
            ("rpool/data/a/tmp", None),
            ("rpool/data/a/tmp/x", None),
            ("rpool/data/cache2", None),
            ("rpool/data2", None),
            ("rpool", None),
        ] {
            assert_eq!(child(&deep, name).as_deref(), wanted, "{name}");
        }
    }

    #[test]
    fn a_pattern_is_a_name_with_stars() {
        for bad in ["", "rpool/a?", "rpool/[a]", "rpool//a", "rpool/a*/"] {
            bad.parse::<Exclude>().expect_err(bad);
        }
        for (pattern, name, wanted) in [
            ("*", "", true),
            ("a*b*", "a-b", true),
            ("a*b", "abc", false),
            ("**x", "yx", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
        }
    }
}
