//! Which datasets of the source a fileset is about, and what each of them is called here.

use super::wire::{Child, Dataset};
use crate::fileset::invalid::Invalid;
use crate::fileset::word::word;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Two datasets that would be called alike here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{one} and {other} would both be called {child} here: leave one out with `exclude`, and name it in `datasets` of another \
     fileset"
)]
pub struct Clash {
    one: Dataset,
    other: Dataset,
    child: String,
}

/// Datasets of the source, with what is below them where that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// No two have one child, and none is within another where `recursive`.
    pub selected: Vec<Selected>,
    /// With all that is below them.
    pub recursive: bool,
    /// What of that is left out.
    pub exclude: Vec<Exclude>,
}

/// A dataset of the source, and what it is called below the fileset's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selected {
    pub dataset: Dataset,
    /// One component.
    pub child: Child,
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

impl Selection {
    /// Of another backup host's datasets, each called as it is there.
    pub fn tagged(names: &[Dataset], exclude: &[Exclude]) -> Result<Self, Clash> {
        let mut names: Vec<&Dataset> = names.iter().collect();
        // A dataset is behind all those that it is within.
        names.sort_by_key(|name| name.as_str());
        names.dedup();
        let mut selected: Vec<Selected> = Vec::new();
        for dataset in names {
            let name = dataset.as_str();
            let comes_with = |other: &Selected| {
                name.strip_prefix(other.dataset.as_str()).is_some_and(|below| below.starts_with('/'))
            };
            if exclude.iter().any(|exclude| exclude.matches(name)) || selected.iter().any(comes_with) {
                continue;
            }
            let last = name.rsplit('/').next().unwrap_or(name);
            let clash = |other: &Dataset| Clash {
                one: other.clone(),
                other: dataset.clone(),
                child: last.to_owned(),
            };
            let child: Child = last.parse().map_err(|_| clash(dataset))?;
            if let Some(other) = selected.iter().find(|other| other.child == child) {
                return Err(clash(&other.dataset));
            }
            selected.push(Selected { dataset: dataset.clone(), child });
        }
        Ok(Self { selected, recursive: true, exclude: exclude.to_vec() })
    }

    /// What the dataset is called below the fileset's own; `None` where the fileset is not about it.
    pub fn child(&self, dataset: &Dataset) -> Option<Child> {
        if self.leaves_out(dataset.as_str()) {
            return None;
        }
        self.selected.iter().find_map(|selected| {
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
        !self.selected.iter().any(wanted) || self.exclude.iter().any(|exclude| exclude.matches(dataset))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn selection(datasets: &[&str], exclude: &[&str], recursive: bool) -> Selection {
        let selected = datasets.iter().map(|text| text.parse().expect("a dataset")).collect();
        let exclude = exclude.iter().map(|text| text.parse().expect("a pattern")).collect();
        Selection { selected, recursive, exclude }
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
        let child =
            |s: &Selection, name: &str| s.child(&name.parse().expect("a name")).map(|c| c.to_string());
        let flat = selection(&["rpool/data:d", "rpool/data/sub"], &[], false);
        assert_eq!(child(&flat, "rpool/data").as_deref(), Some("d"));
        assert_eq!(child(&flat, "rpool/data/sub").as_deref(), Some("sub"));
        assert_eq!(child(&flat, "rpool/data/other"), None);
        let deep = selection(&["rpool/data"], &["rpool/data/*/tmp", "rpool/*/cache*"], true);
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
    fn what_another_backup_host_names_is_called_as_there() {
        let names = |names: &[&str]| -> Vec<Dataset> {
            names.iter().map(|name| name.parse().expect("a name")).collect()
        };
        let exclude = ["tank/B/huge*".parse().expect("a pattern")];
        let found = Selection::tagged(
            &names(&["tank/B/web1", "tank/B/db1", "tank/B/huge2", "tank/B/web1/x", "tank/B/db1"]),
            &exclude,
        )
        .expect("no two alike");
        let of: Vec<_> = found.selected.iter().map(|s| (s.dataset.as_str(), s.child.as_str())).collect();
        assert_eq!(of, [("tank/B/db1", "db1"), ("tank/B/web1", "web1")]);
        assert_eq!(
            found.child(&"tank/B/web1/x".parse().expect("a name")).expect("wanted").as_str(),
            "web1/x"
        );
        let clash = Selection::tagged(&names(&["tank/B/web1", "tank/A/web1"]), &[]).expect_err("two alike");
        assert!(
            clash.to_string().starts_with("tank/A/web1 and tank/B/web1 would both be called web1"),
            "{clash}"
        );
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
