//! `planb metrics`: figures for Prometheus, as the text file collector of its node exporter reads them.

use super::exit::Exit;
use super::list::notice;
use super::out;
use super::world::World;
use crate::report::metrics;
use crate::status::timers::Timers;
use crate::status::{Sources, storages};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Print figures for Prometheus (OpenMetrics text)
#[derive(Debug, clap::Args)]
pub struct Metrics {
    /// Write them to this file instead, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Metrics {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let now = world.clock.now();
        let mut sources = Sources::new(&world.paths, &configuration, now).judging();
        if world.has_units() {
            sources.timers = Timers::look();
        }
        let (all, notices) = sources.all();
        notices.iter().for_each(notice);
        let storages = storages::of(&world.paths, &configuration.filesets);
        let text = metrics::text(&all, &storages, &configuration.settings, now);
        match &self.output {
            None => out::print(&text)?,
            Some(file) => {
                replace(file, &text).with_context(|| format!("failed to write {}", file.display()))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Puts the file in the other's place at once: a collector reads it at any moment. While it is written it has a name that
/// no collector reads (they want `.prom`).
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let new = file.with_extension(format!("prom.{}", std::process::id()));
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(0o644).open(&new)?;
        file.write_all(text.as_bytes())
    };
    write().and_then(|()| fs::rename(&new, file)).inspect_err(|_| drop(fs::remove_file(&new)))
}
