//! `planb generator`: what systemd runs at boot and at every reload, as `planb-generator`.

use super::exit::Exit;
use super::say;
use crate::config::{self, Configuration, Diagnostic};
use crate::generator;
use crate::host::paths::Paths;
use anyhow::Result;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The name of the link to us where systemd looks for generators.
const LINK: &str = "planb-generator";

/// More than that is for `planb check` to say. The kernel's log takes ten lines in five seconds.
const TOLD: usize = 8;

/// Write the drop-ins and links that systemd needs for the filesets (systemd.generator(7))
#[derive(Debug, clap::Args)]
pub struct Generator {
    /// Where the files go
    #[arg(value_name = "NORMAL")]
    normal: PathBuf,
    /// Not used
    #[arg(value_name = "EARLY")]
    early: Option<PathBuf>,
    /// Not used
    #[arg(value_name = "LATE")]
    late: Option<PathBuf>,
}

/// The arguments as they would be without the link: systemd starts a generator by its path, with directories only.
pub fn arguments(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments
        .first()
        .is_some_and(|program| Path::new(program).file_name().is_some_and(|name| name == LINK))
    {
        arguments.insert(1, "generator".into());
    }
    arguments
}

impl Generator {
    /// What is invalid costs only itself, and is no failure of ours: systemd could do nothing about it.
    pub fn run(&self, paths: &Paths) -> Result<Exit> {
        let configuration = config::load(paths, nix::unistd::geteuid());
        let errors = errors(&configuration);
        let mut log = Log::open(paths);
        for error in errors.iter().take(TOLD) {
            log.say(error);
        }
        if errors.len() > TOLD {
            log.say(&format!("{} more errors: `planb check` shows all of them", errors.len() - TOLD));
        }
        let files = generator::files(&configuration);
        generator::write(&self.normal, &files)?;
        // A boot waits for us, and the process is over: nobody needs to take ten thousand filesets apart again.
        std::mem::forget((configuration, files));
        Ok(Exit::Done)
    }
}

/// One line for each fileset that is not scheduled, and for what is wrong with all of them.
fn errors(configuration: &Configuration) -> Vec<String> {
    let mut lines = Vec::new();
    let mut of_filesets = BTreeSet::new();
    for invalid in &configuration.invalid {
        let name = invalid.file.file_stem().unwrap_or_default().to_string_lossy();
        let more = match invalid.diagnostics.len() {
            0 | 1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let first = invalid.diagnostics.first().map(first_line).unwrap_or_default();
        lines.push(format!("{} is not scheduled: {first}{more}", name.escape_debug()));
        of_filesets.extend(&invalid.diagnostics);
    }
    let others =
        configuration.diagnostics.iter().filter(|found| found.is_error() && !of_filesets.contains(found));
    lines.extend(others.map(first_line));
    lines
}

/// Without the cited line: a log has lines, and this one says where to look.
fn first_line(diagnostic: &Diagnostic) -> String {
    diagnostic.to_string().lines().next().unwrap_or_default().to_owned()
}

/// There is no journal yet when this runs first: the kernel's log is where it finds such things later.
struct Log(Option<File>);

impl Log {
    fn open(paths: &Paths) -> Self {
        let file = (!paths.is_rooted()).then(|| OpenOptions::new().write(true).open("/dev/kmsg").ok());
        Self(file.flatten())
    }

    fn say(&mut self, line: &str) {
        say(format_args!("{LINK}: {line}"));
        if let Some(kernel) = &mut self.0 {
            // An error, of a daemon (syslog(3)): 3 + (3 << 3). If it is not taken, nobody can be told.
            let _ = kernel.write_all(format!("<27>{LINK}: {line}\n").as_bytes());
        }
    }
}
