//! From what administrators write to what the program may rely on, in three states with a type each: written (what
//! one file says, every value with its place), merged (a fileset over its group over the defaults over what is built
//! in, each value with its origin), valid ([`Fileset`]: every word its own type).
//!
//! All errors of all files are found in one go. A bad drop-in costs only its own fileset; what is wrong in planb.toml
//! costs those filesets that use it. Nothing here prints, and nothing here is trusted before it is read.

mod built_in;
pub mod diagnostic;
mod document;
mod edit;
mod encryption;
mod exec;
mod fileset;
mod keys;
mod load;
mod login;
mod merged;
mod overlap;
mod reader;
mod rsync;
mod settings;
mod show;
mod source;
pub mod suggest;
#[cfg(test)]
mod tests;
mod value;
mod written;
mod zfs;
mod zones;

pub use diagnostic::Diagnostic;
pub use edit::for_host;
pub use fileset::Fileset;
pub use load::{effective, judged, load, text};
pub use settings::{Log, Settings};

use crate::fileset::name::Name;
use std::path::PathBuf;
use suggest::nearest;

/// All configuration of this host.
#[derive(Debug)]
pub struct Configuration {
    pub settings: Settings,
    /// The valid ones, by name.
    pub filesets: Vec<Fileset>,
    /// The others, by file name: known, and not to be run.
    pub invalid: Vec<Invalid>,
    /// Everything there is to say, in order, each thing once.
    pub diagnostics: Vec<Diagnostic>,
}

/// A drop-in that is no valid fileset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Absent where even the file's name is wrong.
    pub name: Option<Name>,
    pub file: PathBuf,
    /// Why: never empty. What several filesets share is in each of them.
    pub diagnostics: Vec<Diagnostic>,
}

impl Configuration {
    /// The valid fileset of that name.
    pub fn fileset(&self, name: &str) -> Option<&Fileset> {
        let at = self.filesets.binary_search_by(|fileset| fileset.name.as_str().cmp(name)).ok()?;
        self.filesets.get(at)
    }

    /// The invalid fileset of that name.
    pub fn invalid(&self, name: &str) -> Option<&Invalid> {
        self.invalid.iter().find(|invalid| invalid.name.as_ref().is_some_and(|known| known.as_str() == name))
    }

    /// Why there is no fileset of that name, with the name that was probably meant.
    pub fn unknown(&self, name: &str) -> String {
        let valid = self.filesets.iter().map(|fileset| &fileset.name);
        let known = valid.chain(self.invalid.iter().filter_map(|invalid| invalid.name.as_ref()));
        match nearest(name, known.map(Name::as_str)) {
            Some(meant) => format!("unknown fileset {name:?}: did you mean {meant:?}?"),
            None => format!("unknown fileset {name:?}: `planb list` shows all of them"),
        }
    }
}
