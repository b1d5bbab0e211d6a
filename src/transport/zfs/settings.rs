//! What a `[zfs]` table comes to once it is valid, and its words.

use super::selection::{Exclude, Selection};
use crate::fileset::name::Tag;
use crate::fileset::quantity::Size;
use crate::transport::ssh::login::Login;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A valid `[zfs]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub login: Login,
    pub datasets: Datasets,
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

/// What is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Datasets {
    /// What the configuration names: never empty.
    Named(Selection),
    /// The datasets of another backup host's filesets that have a tag there, as its planb tells at each run: with all that
    /// is below them, but for these.
    Tagged { tag: Tag, exclude: Vec<Exclude> },
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

impl Settings {
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
    /// As `planb list` shows it: `web1.example:rpool/data`, with what is not shown as a number, or
    /// `backup1.example:tag:offsite`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.login.host;
        match &self.datasets {
            Datasets::Tagged { tag, .. } => write!(f, "{host}:tag:{tag}"),
            Datasets::Named(Selection { selected, .. }) => {
                let first = selected.first().map_or("", |selected| selected.dataset.as_str());
                write!(f, "{host}:{first}")?;
                match selected.len() {
                    0 | 1 => Ok(()),
                    more => write!(f, " and {} more", more - 1),
                }
            }
        }
    }
}

#[cfg(test)]
pub(in crate::transport) mod tests {
    use super::super::selection::tests::selection;
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
            datasets: Datasets::Named(selection(datasets, exclude, recursive)),
            raw: Raw::Auto,
            compressed: true,
            large_block: true,
            bwlimit: None,
            source_keep: 3,
            sudo: false,
        }
    }
}
