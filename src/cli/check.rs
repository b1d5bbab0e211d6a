//! `planb check`: is the configuration as it should be?

use super::exit::Exit;
use super::world::{self, World};
use super::{out, say};
use crate::config::{self, Configuration, Diagnostic};
use crate::fileset::quantity::counted;
use crate::host::paths::Paths;
use crate::run::connect::prove;
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
    /// Connect to the sources of these filesets, and prove that they allow what is needed and nothing more
    #[arg(long, requires = "filesets", conflicts_with = "show")]
    connect: bool,
}

impl Check {
    pub fn run(mut self, world: &World) -> anyhow::Result<Exit> {
        let (paths, user) = (&world.paths, world.user);
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
        if self.connect {
            return connect(world, &configuration, &self.filesets);
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

/// One line a proof. Every one has to hold.
fn connect(world: &World, configuration: &Configuration, names: &[String]) -> anyhow::Result<Exit> {
    world.log(configuration.settings.log, &[]);
    let stop = world::stop()?;
    let mut exit = Exit::Done;
    for fileset in names.iter().filter_map(|name| configuration.fileset(name)) {
        let name = &fileset.name;
        let (mut wrong, mut printed) = (0, Ok(()));
        let any = prove(&world.paths, fileset, &world.run_id(false)?, &stop, &mut |proof| {
            let line = match proof.wrong {
                None => format!("{name}: ok: {}\n", proof.what),
                Some(why) => {
                    wrong += 1;
                    format!("{name}: WRONG: {}: {why}\n", proof.what)
                }
            };
            if printed.is_ok() {
                printed = out::print(&line);
            }
        })?;
        printed?;
        if !any {
            say(format_args!("planb: {name} is not reached over ssh: there is nothing to connect to"));
            exit = exit.worse(Exit::Usage);
        }
        if wrong > 0 {
            say(format_args!("planb: {name}: planb authorize {name} prints what sets its source up"));
            exit = exit.worse(Exit::Failed);
        }
    }
    Ok(exit)
}
