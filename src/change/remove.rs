//! An end: `planb remove NAME`. Of what was backed up nothing is touched.

use super::step::Step;
use super::{Hands, Plan, drop_in};
use crate::config::Fileset;
use crate::fileset::name::Name;
use crate::keys::Keys;
use crate::run::retry;
use crate::run::unfinished::Unfinished;
use crate::transport::Transport;
use std::path::{Path, PathBuf};

/// What it takes to back up the fileset no more. `fileset` is absent where its drop-in is wrong: then nobody knows what
/// it has.
pub fn remove(hands: Hands<'_>, name: &Name, fileset: Option<&Fileset>, command: String) -> Plan {
    let paths = hands.paths;
    let own = drop_in::own(paths, name);
    let files = drop_in::all(paths, name);
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    let is_own = |file: &PathBuf| *file == own;
    if files.iter().any(is_own) {
        let aside = aside(&own);
        notes.push(format!("to have it back: mv {} {}", aside.display(), own.display()));
        steps.push(Step::Move { from: own.clone(), to: aside });
    }
    if !files.iter().all(is_own) {
        steps.push(Step::Mask { file: own.clone() });
        notes.push(format!("to have what is hidden back: rm {}", own.display()));
    }
    if retry::pending(paths, name, hands.now).is_some() {
        steps.push(Step::Retry { old: name.clone(), new: None });
    }
    if let Some(fileset) = fileset {
        let is_container = matches!(fileset.transport, Transport::Zfs(_));
        let destroying = fileset.storage.settings.destroying(&fileset.dataset, is_container);
        notes.push(format!("its snapshots stay; this would destroy them for ever: {destroying}"));
        if let Some(source) = &fileset.encryption {
            let place = Keys::new(paths, name, source).place();
            notes.push(format!("they can be read as long as there is {place}"));
        }
    }
    Plan { of: Unfinished { command, filesets: vec![name.clone()] }, steps, notes }
}

/// A name that no drop-in has and nobody reads.
fn aside(file: &Path) -> PathBuf {
    let named = |end: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let mut aside = named(".removed");
    let mut again = 1_u32;
    while drop_in::is_there(&aside) {
        again += 1;
        aside = named(&format!(".{again}.removed"));
    }
    aside
}
