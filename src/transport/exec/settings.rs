//! What an `[exec]` table comes to once it is valid, and its words.

use crate::fileset::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// A valid `[exec]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub command: Command,
    /// What the sandbox shows beside the system's own files and the workspace.
    pub extra_paths: Vec<ExtraPath>,
    pub snapshots: Snapshots,
}

/// A program by its absolute path, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    pub program: PathBuf,
    pub arguments: Vec<String>,
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

impl Command {
    /// Of the words as they are written: the program first.
    pub fn new(words: &[String]) -> Result<Self, Invalid> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(Invalid::new("a command has a program: name it by its absolute path"));
        };
        if let Some(word) = words.iter().find(|word| word.chars().any(char::is_control)) {
            return Err(Invalid::new(format!("a control character cannot be in a command: {word:?}")));
        }
        Ok(Self { program: path(program, "program")?, arguments: arguments.to_vec() })
    }
}

impl fmt::Display for Command {
    /// As `planb list` shows it: without its arguments, which may be anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.display())
    }
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
    fn a_command_is_a_program_and_whatever_it_likes() {
        let words = |words: &[&str]| Command::new(&words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>());
        let command = words(&["/usr/local/bin/my-transfer", "--a b", "$(id)", "", "\"'\\"]).expect("good");
        assert_eq!(command.to_string(), "/usr/local/bin/my-transfer");
        assert_eq!(command.arguments, ["--a b", "$(id)", "", "\"'\\"]);
        for bad in [&[][..], &[""], &["sh"], &["./x"], &["/a/../b"], &["/a:b"], &["/a", "b\nc"], &["/a\0"]] {
            words(bad).expect_err(&format!("{bad:?}"));
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
