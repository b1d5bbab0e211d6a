//! Runs that begin and end, as signals of the manager.

use super::manager::Manager;
use super::record::dictionary;
use super::{Common, ROOT};
use crate::fileset::record::Record;
use crate::history;
use zbus::block_on;
use zbus::blocking::Connection;
use zbus::zvariant::ObjectPath;

/// The last run that was told of. Its record is on the disk, and a thousand of them here would be for nothing.
pub struct Told {
    id: Box<str>,
    ended: bool,
}

impl Told {
    pub fn of(run: &Record) -> Self {
        Self { id: run.id.as_str().into(), ended: run.result.is_some() }
    }
}

/// Tells what became of runs since `before`.
pub fn tell(
    common: &Common,
    bus: &Connection,
    path: &str,
    before: Option<&Told>,
    run: Option<&Record>,
) -> zbus::Result<()> {
    let Some(run) = run else { return Ok(()) };
    let is_new = before.is_none_or(|before| *before.id != run.id);
    if is_new {
        // Its end and this one's begin came in one moment: the history has the end.
        if let Some(open) = before.filter(|before| !before.ended)
            && let Ok((Some(ended), _)) =
                history::ask(&common.paths, common.clock.now(), |history| history.run(&open.id))
        {
            signal(bus, path, &ended, true)?;
        }
        signal(bus, path, run, false)?;
    }
    if run.result.is_some() && (is_new || before.is_some_and(|before| !before.ended)) {
        signal(bus, path, run, true)?;
    }
    Ok(())
}

fn signal(bus: &Connection, path: &str, run: &Record, ended: bool) -> zbus::Result<()> {
    let manager = bus.object_server().interface::<_, Manager>(ROOT)?;
    let emitter = manager.signal_emitter();
    let path = ObjectPath::try_from(path)?;
    if ended {
        block_on(Manager::run_finished(emitter, path, dictionary(run)))
    } else {
        // What it came to may be known by now, and is told next.
        let began = Record {
            finished: None,
            result: None,
            error: None,
            exit_code: None,
            snapshot: None,
            path: None,
            transferred: None,
            destroyed: Vec::new(),
            ..run.clone()
        };
        block_on(Manager::run_started(emitter, path, dictionary(&began)))
    }
}
