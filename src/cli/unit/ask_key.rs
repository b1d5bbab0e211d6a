//! The main process of planb-key@NAME.service.

use crate::cli::exit::Exit;
use crate::cli::out;
use crate::cli::world::{self, World};
use crate::fileset::key::Question;
use crate::host::secret;
use crate::keys;
use anyhow::{Context, Result};
use std::io::{self, Read};

/// More than any question is.
const LONGEST: u64 = 1 << 20;

/// Asks a command for a key: the question comes in, the key goes out.
pub fn ask_key(world: &World) -> Result<Exit> {
    world.log(None, &[]);
    secret::forbid_dumps().context("failed to keep keys out of core dumps")?;
    let mut text = Vec::new();
    io::stdin().take(LONGEST).read_to_end(&mut text).context("failed to read the question")?;
    let question: Question = serde_json::from_slice(&text)
        .context("failed to understand the question: only planb itself starts this")?;
    // No answer is the answer that there is no key.
    if let Some(key) = keys::ask_here(&question, None, &world::stop()?)? {
        out::secret(key.bytes()).context("failed to hand the key over")?;
    }
    Ok(Exit::Done)
}
