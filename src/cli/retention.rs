//! `planb retention`: what would a retention keep? A filter that touches nothing.

use super::exit::Exit;
use super::{out, say};
use crate::fileset::invalid::Invalid;
use crate::fileset::retention::{self, Reason, Verdict};
use crate::host::zoneinfo;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write;
use std::io::Read;

/// Say what a retention would keep: snapshot names on stdin, one verdict a line on stdout
#[derive(Debug, clap::Args)]
pub struct Retention {
    /// What to keep, as in a fileset: 24h,16d,4w,12m,2y
    #[arg(long, value_name = "SPEC", value_parser = spec)]
    retain: retention::Retention,
    /// The zone whose days, weeks and months count [default: this machine's]
    #[arg(long, value_name = "TZ")]
    timezone: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// As `retention --json` prints it.
#[derive(Debug, Serialize)]
struct Lines<'a> {
    snapshots: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    verdict: &'static str,
    keep: Vec<String>,
}

fn spec(text: &str) -> Result<retention::Retention, String> {
    text.parse().map_err(|invalid: Invalid| invalid.message)
}

impl Retention {
    pub fn run(self) -> Result<Exit> {
        let zone = match self.timezone.as_deref().map(zoneinfo::load) {
            None => zoneinfo::local(),
            Some(Ok(zone)) => zone,
            Some(Err(invalid)) => {
                say(format_args!("planb: --timezone: {invalid}"));
                return Ok(Exit::Usage);
            }
        };
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .context("failed to read snapshot names from stdin")?;
        // No name of ours has other bytes than ASCII, so what is lost here is foreign anyway.
        let text = String::from_utf8_lossy(&bytes);
        let judged = self.retain.what_if(&text, &zone);
        if self.json {
            let snapshots = judged
                .iter()
                .map(|judged| {
                    let (verdict, keep): (_, &[Reason]) = match &judged.verdict {
                        Verdict::Keep(reasons) => ("keep", reasons),
                        Verdict::Destroy => ("destroy", &[]),
                        Verdict::Foreign => ("foreign", &[]),
                    };
                    let keep: Vec<String> = keep.iter().map(Reason::to_string).collect();
                    Line { name: judged.name, verdict, keep }
                })
                .collect();
            out::json(Lines { snapshots })?;
        } else {
            let mut lines = String::new();
            for judged in &judged {
                let _ = writeln!(lines, "{judged}");
            }
            out::print(&lines)?;
        }
        Ok(Exit::Done)
    }
}
