//! Where the key of an encrypted dataset comes from.

use super::command::CommandLine;
use super::invalid::Invalid;
use super::name::{DatasetName, Group, Name, StorageName};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a fileset's key is kept, once all that varies by fileset is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeySource {
    /// systemd's store of encrypted credentials.
    Credential,
    /// A file, as existing key trees have it.
    File(PathBuf),
    /// What a program prints, a vault's client for example.
    Command(Question),
}

/// A program to ask for a key, and whose key it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub command: CommandLine,
    pub fileset: Name,
    pub group: Option<Group>,
    pub dataset: DatasetName,
}

/// What `key` says, for one fileset or for many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRule {
    Credential,
    File(KeyTemplate),
    Command(CommandLine),
}

/// The path of a key's file, with placeholders for what varies by fileset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate(String);

/// What the placeholders of a template stand for.
#[derive(Debug, Clone, Copy)]
pub struct Filling<'a> {
    pub fileset: &'a Name,
    pub group: Option<&'a Group>,
    pub dataset: &'a DatasetName,
    pub storage: &'a StorageName,
}

/// What a file's name ends in that keeps a key which is not yet, or no longer, the one: '+' cannot be in a name of
/// ours, so no template can come to it by what is filled in.
pub const PENDING: &str = "+pending";
pub const PREVIOUS: &str = "+previous";

const FILE: &str = "file:";

const WANTED: &str = "a key comes from \"credential\", from \"file:/etc/planb/keys/{fileset}\", or from a command, \
                      [\"/usr/bin/program\", \"argument\"]";

impl KeyRule {
    /// Whether filesets that share this rule have each a key of their own. A command is asked with the fileset's name,
    /// and is trusted to.
    pub fn tells_filesets_apart(&self) -> bool {
        match self {
            Self::Credential | Self::Command(_) => true,
            Self::File(KeyTemplate(text)) => text.contains("{fileset}") || text.contains("{dataset}"),
        }
    }

    /// What it comes to for one fileset.
    pub fn fill(self, filling: Filling<'_>) -> Result<KeySource, Invalid> {
        Ok(match self {
            Self::Credential => KeySource::Credential,
            Self::File(template) => KeySource::File(template.fill(filling)?),
            Self::Command(command) => KeySource::Command(Question {
                command,
                fileset: filling.fileset.clone(),
                group: filling.group.cloned(),
                dataset: filling.dataset.clone(),
            }),
        })
    }
}

impl FromStr for KeyRule {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "credential" {
            return Ok(Self::Credential);
        }
        let Some(path) = text.strip_prefix(FILE) else {
            return Err(Invalid::new(format!("{text:?} is no place of a key: {WANTED}")));
        };
        let moved = |invalid: Invalid| Invalid {
            at: invalid.at.map(|at| at.start + FILE.len()..at.end + FILE.len()),
            ..invalid
        };
        path.parse().map(Self::File).map_err(moved)
    }
}

impl KeyTemplate {
    fn fill(&self, filling: Filling<'_>) -> Result<PathBuf, Invalid> {
        let mut path = self.0.clone();
        let group = filling.group.map(Group::as_str);
        if group.is_none() && path.contains("{group}") {
            return Err(Invalid::new("there is {group} in it, and the fileset has no group"));
        }
        for (name, value) in [
            ("{fileset}", filling.fileset.as_str()),
            ("{group}", group.unwrap_or_default()),
            ("{dataset}", filling.dataset.as_str()),
            ("{storage}", filling.storage.as_str()),
        ] {
            path = path.replace(name, value);
        }
        // Without doubled slashes: one path has one spelling.
        Ok(Path::new(&path).components().collect())
    }
}

impl FromStr for KeyTemplate {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if !text.starts_with('/') {
            return Err(Invalid::new(format!("{text:?} is not an absolute path: write \"{FILE}/{text}\"")));
        }
        if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(Invalid::at(at..at + 1, "a control character cannot be in a path"));
        }
        let last = text.rsplit('/').next().unwrap_or_default();
        if last.is_empty() || text.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(Invalid::new("the path of a key's file ends in the file's name, without \"..\""));
        }
        if last.ends_with(PENDING) || last.ends_with(PREVIOUS) {
            return Err(Invalid::new(format!(
                "names that end in {PENDING:?} and {PREVIOUS:?} are for the keys before and after a rotation"
            )));
        }
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let start = text.len() - rest.len() + at;
            let end = text[start..].find('}').map_or(text.len(), |end| start + end + 1);
            let placeholder = &text[start..end];
            if !matches!(placeholder, "{fileset}" | "{group}" | "{dataset}" | "{storage}") {
                return Err(Invalid::at(
                    start..end,
                    format!(
                        "{placeholder} is unknown: use {{fileset}}, {{group}}, {{dataset}} or {{storage}}"
                    ),
                ));
            }
            rest = &text[end..];
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, group: Option<&str>) -> Result<KeySource, Invalid> {
        let (fileset, dataset) = ("web1".parse().expect("a name"), "acme-web1".parse().expect("a name"));
        let (group, storage) = (group.map(|g| g.parse().expect("a name")), "tank".parse().expect("a name"));
        text.parse::<KeyRule>()?.fill(Filling {
            fileset: &fileset,
            group: group.as_ref(),
            dataset: &dataset,
            storage: &storage,
        })
    }

    #[test]
    fn placeholders_are_filled_in() {
        assert_eq!(filled("credential", None), Ok(KeySource::Credential));
        let path = filled("file:/k//{storage}/{group}/{dataset}.{fileset}", Some("acme"));
        assert_eq!(path, Ok(KeySource::File("/k/tank/acme/acme-web1.web1".into())));
        assert!(filled("file:/k/{group}/{fileset}", None).is_err());
    }

    #[test]
    fn nothing_else_is_a_place_of_a_key() {
        for (bad, at) in [
            ("", None),
            ("credentials", None),
            ("/usr/bin/vault get", None),
            ("file:", None),
            ("file:keys/{fileset}", None),
            ("file:/keys/", None),
            ("file:/keys/../{fileset}", None),
            ("file:/keys/{fileset}+pending", None),
            ("file:/keys/{name}", Some(11..17)),
            ("file:/keys/{fileset", Some(11..19)),
            ("file:/keys/x}", Some(12..13)),
            ("file:/keys/{{fileset}}", Some(11..21)),
            ("file:/keys/\n", Some(11..12)),
        ] {
            assert_eq!(bad.parse::<KeyRule>().expect_err(bad).at, at, "{bad:?}");
        }
    }

    #[test]
    fn one_file_for_all_is_told_from_one_for_each() {
        let apart = |text: &str| text.parse::<KeyRule>().expect(text).tells_filesets_apart();
        assert!(apart("credential") && apart("file:/k/{fileset}") && apart("file:/k/{dataset}"));
        assert!(!apart("file:/k/key") && !apart("file:/k/{group}-{storage}"));
    }
}
