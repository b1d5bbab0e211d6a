//! What an `[exec]` table comes to once it is valid, and its words.

use crate::fileset::command::CommandLine;
use crate::fileset::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// A valid `[exec]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub command: CommandLine,
    /// What the sandbox shows beside the system's own files and the workspace.
    pub extra_paths: Vec<ExtraPath>,
    pub snapshots: Snapshots,
}

/// A path of this machine that the program may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraPath {
    pub path: PathBuf,
    pub writable: bool,
}

/// Who makes the snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snapshots {
    /// The run, of the workspace, when the program has ended.
    Planb,
    /// The program itself. The run makes none and looks for a new one.
    Own,
}

/// A command whose program can be shown in the sandbox.
pub fn shown(command: CommandLine) -> Result<CommandLine, Invalid> {
    path(command.program(), "program").map(|_| command)
}

/// What turns a path into one that can be written to.
const WRITABLE: &str = ":rw";

impl FromStr for ExtraPath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (bare, writable) = text.strip_suffix(WRITABLE).map_or((text, false), |bare| (bare, true));
        Ok(Self { path: path(bare, "path")?, writable })
    }
}

/// An absolute path that systemd can name in a sandbox.
fn path(text: &str, what: &str) -> Result<PathBuf, Invalid> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(Invalid::new(format!("{text:?} is not an absolute path: a {what} begins with '/'")));
    }
    if let Some(odd) = text.chars().find(|c| c.is_control() || matches!(c, ':' | '\\' | '"' | '\'')) {
        return Err(Invalid::new(format!(
            "{odd:?} cannot be in a {what} here: systemd cannot name it in a sandbox"
        )));
    }
    if path.components().any(|component| component == Component::ParentDir) {
        return Err(Invalid::new(format!("\"..\" cannot be in a {what}")));
    }
    Ok(path.components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_a_name_that_systemd_can_show() {
        let command =
            |program: &str| CommandLine::try_from(vec![program.to_owned(), "a:b".into()]).expect(program);
        assert!(shown(command("/usr/local/bin/my-transfer")).is_ok());
        for bad in ["/a:b", "/a\\b", "/a\"b", "/a'b"] {
            shown(command(bad)).expect_err(bad);
        }
    }

    #[test]
    fn an_extra_path_is_to_be_read_unless_it_says_otherwise() {
        let extra = |text: &str| text.parse::<ExtraPath>();
        let path = PathBuf::from("/srv/cache");
        assert_eq!(extra("/srv/cache"), Ok(ExtraPath { path: path.clone(), writable: false }));
        assert_eq!(extra("/srv//cache/:rw"), Ok(ExtraPath { path, writable: true }));
        for bad in ["", ":rw", "srv", "-/srv", "/a/../b", "/a:/b", "/a:ro", "/a\\b", "/a\"b", "/a\nb"] {
            extra(bad).expect_err(bad);
        }
    }
}
