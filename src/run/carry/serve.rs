//! The hands' half of a conversation, whoever's process they are in.

use super::pipes::Ends;
use crate::fileset::progress::Transferred;
use crate::fileset::replica::CopyId;
use crate::transport::zfs::{self, Hands, settings::Settings};
use crate::transport::{Event, Failure, Job};
use std::path::Path;

/// Carries out what a run orders through the pipes in `directory`, until it orders nothing any more.
pub fn serve(
    settings: &Settings,
    copy: CopyId,
    directory: &Path,
    job: &Job<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<Transferred, Failure> {
    let ends = Ends::open(directory).map_err(|e| Failure::because("failed to reach the run", &e))?;
    let orders = ends.orders.try_clone().map_err(|e| Failure::because("failed to reach the run", &e))?;
    let mut hands = Hands::reach(settings, copy, job)?;
    let mut answers =
        ends.answers.try_clone().map_err(|e| Failure::because("failed to reach the run", &e))?;
    let mut open = || ends.stream();
    zfs::serve(&mut hands, orders, &mut answers, &mut open, tell)?;
    // What came is counted where it is received.
    Ok(Transferred::default())
}
