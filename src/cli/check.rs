//! `planb check`: is the configuration as it should be?

use super::exit::Exit;
use super::{out, say};
use crate::config::{self, Configuration, Diagnostic};
use crate::fileset::quantity::counted;
use crate::host::paths::Paths;
use std::collections::BTreeSet;
use std::io::Write;

/// Validate all configuration: every error of every file, each with its place
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Only these filesets, and planb.toml
    #[arg(value_name = "FILESET")]
    filesets: Vec<String>,
    /// Print what holds for this fileset in the end, and where each value comes from
    #[arg(long, value_name = "FILESET", conflicts_with = "filesets")]
    show: Option<String>,
}

impl Check {
    pub fn run(mut self, paths: &Paths) -> anyhow::Result<Exit> {
        let user = nix::unistd::geteuid();
        let configuration = config::load(paths, user);
        self.filesets.extend(self.show.clone());

        let mut unknown = 0;
        for name in &self.filesets {
            if configuration.fileset(name).is_none() && configuration.invalid(name).is_none() {
                say(format_args!("planb: {}", configuration.unknown(name)));
                unknown += 1;
            }
        }
        let found = self.found(&configuration, paths);
        // One write for all: a thousand small ones are slow on a terminal.
        let mut text: String = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
        let errors = found.iter().filter(|diagnostic| diagnostic.is_error()).count();
        let checked = if self.filesets.is_empty() {
            configuration.filesets.len() + configuration.invalid.len()
        } else {
            self.filesets.len()
        };
        if errors > 0 {
            let invalid = match self.filesets.as_slice() {
                [] => configuration.invalid.len(),
                names => names.iter().filter(|name| configuration.invalid(name).is_some()).count(),
            };
            say(format_args!(
                "planb: {}; invalid filesets: {invalid} of {checked}",
                counted(errors as u64, "error")
            ));
        }
        if errors + unknown > 0 {
            return Ok(Exit::Usage);
        }
        if let Some(fileset) = self.show.and_then(|name| configuration.fileset(&name)) {
            out::print(&config::effective(paths, user, fileset).unwrap_or_default())?;
        } else {
            let valid = if checked == 1 { "valid" } else { "all valid" };
            out::print(&format!("{}, {valid}\n", counted(checked as u64, "fileset")))?;
        }
        Ok(Exit::Done)
    }

    /// What there is to say about all of it, or about the filesets that were asked for and planb.toml.
    fn found<'c>(&self, configuration: &'c Configuration, paths: &Paths) -> BTreeSet<&'c Diagnostic> {
        if self.filesets.is_empty() {
            return configuration.diagnostics.iter().collect();
        }
        let settings = paths.settings();
        let host = configuration.diagnostics.iter().filter(|diagnostic| diagnostic.path == settings);
        let asked = self.filesets.iter().filter_map(|name| configuration.invalid(name));
        asked.flat_map(|invalid| &invalid.diagnostics).chain(host).collect()
    }
}
