//! The main process of planb-trash@NAME.service.

use crate::cli::exit::Exit;
use crate::cli::world::{self, World};
use crate::storage::Storage;
use anyhow::Result;

/// Free the room of destroyed snapshots
#[derive(Debug, clap::Args)]
pub struct Trash {
    fileset: String,
}

impl Trash {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = world.configuration();
        let fileset = match world::one(&configuration, &self.fileset) {
            Ok(fileset) => fileset,
            Err(exit) => return Ok(exit),
        };
        let emptied = Storage::new(&fileset.storage.settings, &world.paths)
            .empty_trash(&fileset.dataset, &world::stop()?)?;
        log::info!("{}: {} files of destroyed snapshots are gone", fileset.name, emptied.removed);
        Ok(Exit::Done)
    }
}
