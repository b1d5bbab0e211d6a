//! What there is at the source: asked of its planb, where that says what is wanted, and of its zfs.

use super::selection::Selection;
use super::settings::Datasets;
use super::wire::{Dataset, Listing};
use super::{Hands, command, listing};
use crate::host::process::Ending;
use crate::transport::{Event, Failure};

impl Hands<'_> {
    /// Has the planb there say what is wanted, and knows it from then on.
    pub(super) fn ask(&mut self, tell: &mut dyn FnMut(Event)) -> Result<Vec<Dataset>, Failure> {
        let host = &self.settings.login.host;
        let Datasets::Tagged { tag, exclude } = &self.settings.datasets else {
            return Err(Failure::failed(
                "the configuration names the datasets itself: nobody is to be asked",
            ));
        };
        let done = self.run(&command::ask(tag), tell)?;
        // With 2 it says what it knows, and that there is more that it cannot know.
        if !matches!(done.ending, Ending::Exited(0 | 2)) {
            return Err(self.failure(&format!("say what has the tag {tag}"), &done));
        }
        for line in done.said.lines() {
            tell(Event::Degraded(format!("{host} says: {line}")));
        }
        if done.stdout.is_empty() {
            return Err(match done.ending {
                Ending::Exited(2) => self.failure(&format!("say what has the tag {tag}"), &done),
                _ => Failure::failed(format!("{host} has no fileset in a pool with the tag {tag}")),
            });
        }
        let understood = |line: &str| {
            line.parse::<Dataset>()
                .map_err(|invalid| Failure::failed(format!("{host} names a dataset {line:?}: {invalid}")))
        };
        let names: Vec<Dataset> = done.stdout.lines().map(understood).collect::<Result<_, _>>()?;
        self.selection =
            Selection::tagged(&names, exclude).map_err(|clash| Failure::failed(clash.to_string()))?;
        Ok(names)
    }

    /// All that there is of what is wanted.
    pub(super) fn list(&self, tell: &mut dyn FnMut(Event)) -> Result<Listing, Failure> {
        let selected: Vec<&Dataset> =
            self.selection.selected.iter().map(|selected| &selected.dataset).collect();
        let (mut text, mut missing) = (String::new(), Vec::new());
        for command in command::list(&selected, self.selection.recursive) {
            let done = self.run(&command, tell)?;
            // One that is not there costs only itself.
            let gone = |dataset: &Dataset| {
                let line = format!("cannot open '{dataset}': dataset does not exist");
                done.said.lines().any(|said| said == line)
            };
            let absent: Vec<Dataset> =
                selected.iter().copied().filter(|dataset| gone(dataset)).cloned().collect();
            // So does one that goes while it is being listed.
            let gone =
                |line: &str| line.starts_with("cannot open '") && line.ends_with("': dataset does not exist");
            if !(done.ending.is_clean() || done.ending == Ending::Exited(1) && done.said.lines().all(gone)) {
                return Err(self.failure("list its datasets", &done));
            }
            missing.extend(absent);
            text.push_str(&done.stdout);
        }
        let datasets = listing::datasets(&text, &self.selection, self.copy)
            .map_err(|strange| Failure::failed(format!("{}: {strange}", self.settings.login.host)))?;
        // Cut output is whole lines as well: what was asked for must be there, or be told as missing.
        let absent = |dataset: &&Dataset| {
            !missing.contains(dataset) && !datasets.iter().any(|source| source.dataset == **dataset)
        };
        if let Some(dataset) = selected.into_iter().find(absent) {
            let host = &self.settings.login.host;
            return Err(Failure::failed(format!(
                "{host} says nothing of {dataset}, neither that it is there nor not"
            )));
        }
        Ok(Listing { datasets, missing })
    }
}
