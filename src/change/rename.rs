//! Another name: `planb rename OLD NEW`.

use super::step::{KeyOf, Step};
use super::{Error, Hands, Plan, drop_in, require_free};
use crate::config::{self, Configuration, Fileset};
use crate::fileset::name::Name;
use crate::history;
use crate::keys::Keys;
use crate::run::retry;
use crate::run::unfinished::Unfinished;
use crate::storage::{self, Storage};

/// What it takes to call the fileset `new` from now on.
///
/// The drop-in comes last: until then everybody still knows the fileset by its old name, and a change that is
/// interrupted shows as a fileset that fails rather than as one that is not there.
pub fn rename(
    hands: Hands<'_>,
    configuration: &Configuration,
    old: &Fileset,
    new: &Name,
    command: String,
) -> Result<Plan, Error> {
    let paths = hands.paths;
    let (from, to) = (drop_in::own(paths, &old.name), drop_in::own(paths, new));
    if old.file != from {
        let (there, here) = (old.file.display(), from.display());
        let message = format!("{there} is not yours to rename: copy it first, cp {there} {here}");
        return Err(Error::Refused(message));
    }
    if let Some(file) = drop_in::all(paths, new).first() {
        return Err(Error::Refused(format!("{} is there already: choose another name", file.display())));
    }
    let text = config::text(paths, hands.user, &from).map_err(|wrong| Error::Invalid(vec![wrong]))?;
    let renamed = config::judged(paths, hands.user, &to, text).map_err(Error::Invalid)?;
    require_free(configuration, &renamed, Some(&old.name))?;

    let mut steps = Vec::new();
    let rename = storage::Rename {
        from: old.dataset.clone(),
        to: renamed.dataset.clone(),
        old: old.name.clone(),
        new: new.clone(),
    };
    let settings = old.storage.settings.clone();
    if Storage::new(&settings, paths).may_rename(&rename)? {
        steps.push(Step::Dataset { storage: old.storage.name.clone(), settings, rename });
    }
    if let (Some(from), Some(to)) = (&old.encryption, &renamed.encryption) {
        let from = KeyOf { fileset: old.name.clone(), source: from.clone() };
        let to = KeyOf { fileset: new.clone(), source: to.clone() };
        let keys = |of: &KeyOf| Keys::new(paths, &of.fileset, &of.source);
        keys(&from).may_become(&keys(&to), hands.stop)?;
        // None where a command has it, or where there was no run yet.
        if !keys(&from).present()?.is_empty() {
            steps.push(Step::Key { from, to });
        }
    }
    steps.push(Step::History { old: old.name.clone(), new: new.clone() });
    if retry::pending(paths, &old.name, hands.now).is_some() {
        steps.push(Step::Retry { old: old.name.clone(), new: Some(new.clone()) });
    }
    steps.push(Step::Move { from: from.clone(), to });
    if drop_in::all(paths, &old.name).len() > 1 {
        steps.push(Step::Mask { file: from });
    }

    let mut notes = Vec::new();
    let before = history::ask(paths, hands.now, |history| history.runs(Some(new), Some(1)));
    if before.is_ok_and(|(runs, _)| !runs.is_empty()) {
        notes.push(format!("there was a {new} before: its history and this one are one now"));
    }
    Ok(Plan { of: Unfinished { command, filesets: vec![old.name.clone(), new.clone()] }, steps, notes })
}
