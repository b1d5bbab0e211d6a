//! What is guarded on the source for the next transfer, and what is let go there.
//!
//! The order is what makes it safe to die at any moment: a new base is held and bookmarked before anything of the old one
//! goes, so that at each there is one that both sides have. Whatever is left over is found by its mark the next time.
//! None of it is worth the backup, which is safely here by now: what cannot be done is told and tried again the next time.

use super::wire::{Answer, Base, Bookmark, Dataset, Mark, Snapshot, Source};
use super::{Done, Hands, command};
use crate::transport::{Event, Failure, Verdict};
use std::collections::BTreeSet;

/// What is to be done about one dataset.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// The base is a snapshot of ours: it is held, or is to be.
    is_ours: bool,
    hold: bool,
    bookmark: bool,
    /// Held, and no base any more.
    release: Vec<Mark>,
    destroy: Vec<Mark>,
    /// Bookmarks.
    forget: Vec<Mark>,
}

impl Hands<'_> {
    pub(super) fn keep(&self, bases: &[Base], tell: &mut dyn FnMut(Event)) -> Result<Answer, Failure> {
        let mut guarded = BTreeSet::new();
        match self.guard(bases, &mut guarded, tell) {
            // Whoever wishes an end gets it. The next run finds what is to be done.
            Err(failure) if failure.verdict != Verdict::Failed => return Err(failure),
            Err(failure) => tell(Event::Degraded(format!(
                "what the next transfer builds on may not be guarded on the source: {failure}"
            ))),
            Ok(()) => {}
        }
        let of = |base: &Base| base.dataset.clone();
        let unguarded = bases.iter().map(of).filter(|dataset| !guarded.contains(dataset));
        Ok(Answer::Kept { unguarded: unguarded.collect() })
    }

    fn guard(
        &self,
        bases: &[Base],
        guarded: &mut BTreeSet<Dataset>,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(), Failure> {
        let listing = self.list(tell)?;
        let found = |base: &Base| listing.datasets.iter().find(|source| source.dataset == base.dataset);
        let mut plans: Vec<(&Base, Plan)> = Vec::new();
        for base in bases {
            if let Some(plan) = found(base).and_then(|source| plan(source, base, self.settings.source_keep)) {
                plans.push((base, plan));
            } else {
                let Base { dataset, snapshot, .. } = base;
                tell(Event::Degraded(format!(
                    "{dataset}@{snapshot}, which the next transfer would build on, is not on the source any more: nothing is let \
                     go there"
                )));
            }
        }

        let hold: Vec<_> = plans.iter().filter(|(_, plan)| plan.hold).map(|(base, _)| *base).collect();
        let not_held = self.hold(&hold, tell)?;
        let bookmark: Vec<_> =
            plans.iter().filter(|(_, plan)| plan.bookmark).map(|(base, _)| *base).collect();
        let not_marked = self.bookmark(&bookmark, tell)?;
        for (base, plan) in &plans {
            let is_held = plan.is_ours && !not_held.contains(&base.dataset);
            if is_held || !not_marked.contains(&base.dataset) {
                guarded.insert(base.dataset.clone());
            }
        }

        plans.retain(|(base, _)| guarded.contains(&base.dataset));
        let release =
            plans.iter().flat_map(|(base, plan)| plan.release.iter().map(|name| (&base.dataset, name)));
        for command in command::release(release, self.copy) {
            let done = self.run(&command, tell)?;
            // Others hold what they like.
            let foreign = |line: &str| line.contains("no such tag");
            if let Some(line) = done.said.lines().find(|line| !foreign(line)) {
                tell(Event::Degraded(format!("a snapshot on the source is not let go: {line}")));
            }
        }
        let old: Vec<_> = plans.iter().filter(|(_, plan)| !plan.destroy.is_empty()).collect();
        let commands: Vec<String> = old
            .iter()
            .map(|(base, plan)| {
                let names: Vec<&Mark> = plan.destroy.iter().collect();
                command::destroy(&base.dataset, &names, self.settings.sudo)
            })
            .collect();
        let of_old = |number: usize, line: &str| line.contains(&format!("{}@", old[number].0.dataset));
        let went = self.in_rows(&commands, of_old, tell)?;
        for ((base, plan), went) in old.iter().zip(went) {
            if went.is_some() {
                // Of several at once none is destroyed where one cannot be.
                self.destroy(&base.dataset, &plan.destroy, tell)?;
            }
        }
        let marks: Vec<(&Dataset, &Mark)> = plans
            .iter()
            .flat_map(|(base, plan)| plan.forget.iter().map(|mark| (&base.dataset, mark)))
            .collect();
        let forget = |(dataset, mark): &(&Dataset, &Mark)| command::forget(dataset, mark, self.settings.sudo);
        let commands: Vec<String> = marks.iter().map(forget).collect();
        let of_mark =
            |number: usize, line: &str| line.contains(&format!("{}#{}", marks[number].0, marks[number].1));
        let went = self.in_rows(&commands, of_mark, tell)?;
        if let Some(why) = went.into_iter().flatten().find(|line| !line.contains("does not exist")) {
            tell(Event::Degraded(format!(
                "the backup is good, but an old bookmark on the source stays: {why}"
            )));
        }
        Ok(())
    }

    /// Runs these commands, many at a time. Of each why it did not do what it should, where that is so: a row of commands
    /// has one exit code, the last one's, and those that end well say nothing. `is_about`: whether a line is about that command.
    fn in_rows(
        &self,
        commands: &[String],
        is_about: impl Fn(usize, &str) -> bool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Vec<Option<String>>, Failure> {
        let mut came: Vec<Option<String>> = Vec::new();
        while came.len() < commands.len() {
            let (number, row) = command::row(&commands[came.len()..]);
            let done = self.run(&row, tell)?;
            let of = |number: usize| done.said.lines().find(|line| is_about(number, line)).map(str::to_owned);
            let first = came.len();
            let mut found: Vec<Option<String>> = (first..first + number).map(of).collect();
            let told = done.ending.is_clean() || found.iter().any(Option::is_some);
            if !(told && done.said.is_whole()) {
                // Nobody knows which: any.
                let why = self.reason("do that", &done);
                for line in found.iter_mut().filter(|line| line.is_none()) {
                    *line = Some(why.clone());
                }
            }
            came.extend(found);
        }
        Ok(came)
    }

    /// Holds all of these. Of which datasets it could not.
    fn hold(&self, bases: &[&Base], tell: &mut dyn FnMut(Event)) -> Result<BTreeSet<Dataset>, Failure> {
        let mut not_held = BTreeSet::new();
        for command in command::hold(bases.iter().map(|base| (&base.dataset, &base.snapshot)), self.copy) {
            let done = self.run(&command, tell)?;
            if done.ending.is_clean() {
                continue;
            }
            let mut blamed = false;
            for Base { dataset, snapshot, .. } in bases {
                let name = format!("'{dataset}@{snapshot}'");
                match done.said.lines().find(|line| line.contains(&name)) {
                    Some(line) if line.contains("tag already exists") => blamed = true,
                    Some(line) => {
                        blamed = true;
                        not_held.insert(dataset.clone());
                        tell(Event::Degraded(format!(
                            "what the next transfer builds on is not held: {line}"
                        )));
                    }
                    None if done.said.is_whole() => {}
                    // It may be among what was not kept of all that was said.
                    None => drop(not_held.insert(dataset.clone())),
                }
            }
            if !blamed {
                // Nobody knows which: none.
                return Err(self.failure("hold snapshots", &done));
            }
        }
        Ok(not_held)
    }

    /// Bookmarks all of these. Of which datasets there is none now.
    fn bookmark(&self, bases: &[&Base], tell: &mut dyn FnMut(Event)) -> Result<BTreeSet<Dataset>, Failure> {
        let commands: Vec<String> = bases
            .iter()
            .map(|base| command::bookmark(&base.dataset, &base.snapshot, &base.bookmark))
            .collect();
        let of_base = |number: usize, line: &str| {
            let Base { dataset, snapshot, bookmark, .. } = bases[number];
            [format!("{dataset}@{snapshot}"), format!("{dataset}#{bookmark}")]
                .iter()
                .any(|name| line.contains(name))
        };
        let went = self.in_rows(&commands, of_base, tell)?;
        let mut not_marked = BTreeSet::new();
        for (base, why) in bases.iter().zip(went) {
            let Some(why) = why.filter(|why| !why.contains("exists")) else { continue };
            if not_marked.is_empty() {
                tell(Event::Degraded(format!(
                    "the backup is good, but a snapshot on the source has no bookmark: {why}"
                )));
            }
            not_marked.insert(base.dataset.clone());
        }
        Ok(not_marked)
    }

    /// Destroys snapshots of ours. One that is in use keeps none of the others.
    fn destroy(&self, dataset: &Dataset, names: &[Mark], tell: &mut dyn FnMut(Event)) -> Result<(), Failure> {
        let mut left: Vec<&Mark> = names.iter().collect();
        while !left.is_empty() {
            let done = self.run(&command::destroy(dataset, &left, self.settings.sudo), tell)?;
            if done.ending.is_clean() || is_gone(&done) {
                return Ok(());
            }
            let before = left.len();
            left.retain(|name| {
                let name = format!("{dataset}@{name}");
                !done.said.lines().any(|line| line.contains(&name) && !line.starts_with("sudo"))
            });
            if left.len() == before || left.is_empty() {
                self.could_not("destroy old snapshots", &done, tell);
                return Ok(());
            }
            self.could_not("destroy an old snapshot", &done, tell);
        }
        Ok(())
    }

    fn could_not(&self, what: &str, done: &Done, tell: &mut dyn FnMut(Event)) {
        let why = self.reason(what, done);
        tell(Event::Degraded(format!("the backup is good, but {why}")));
    }
}

/// Whether it could not be destroyed for being there no more.
fn is_gone(done: &Done) -> bool {
    let gone = ["could not find any snapshots to destroy", "does not exist"];
    done.said.lines().any(|line| gone.iter().any(|words| line.contains(words)))
}

/// What to do about one dataset; `None` where the base is neither there as it should be, nor its bookmark.
///
/// Of our snapshots the base and the newest stay, `keep` in all; of our bookmarks the base's and the newest, likewise:
/// should what was received last be lost here, an older one leads on.
fn plan(source: &Source, base: &Base, keep: u16) -> Option<Plan> {
    let is_base = |snapshot: &Snapshot| snapshot.guid == base.guid && snapshot.name == base.snapshot;
    let snapshot = source.snapshots.iter().find(|snapshot| is_base(snapshot));
    let marked = source.bookmarks.iter().any(|bookmark| bookmark.guid == base.guid && bookmark.is_ours);
    if snapshot.is_none() && !marked {
        return None;
    }
    let ours_held = snapshot.filter(|snapshot| snapshot.is_ours).map(|snapshot| snapshot.is_held);
    let ours = || source.snapshots.iter().filter(|snapshot| snapshot.is_ours && !is_base(snapshot));
    let bookmarks =
        || source.bookmarks.iter().filter(|bookmark| bookmark.is_ours && bookmark.guid != base.guid);
    let beside = usize::from(keep.saturating_sub(1));
    let old = |count: usize| count.saturating_sub(beside);
    Some(Plan {
        is_ours: ours_held.is_some(),
        // With a bookmark it was held before that was made; by whom it is held is not listed.
        hold: ours_held.is_some_and(|is_held| !(is_held && marked)),
        bookmark: !marked,
        release: ours().filter(|snapshot| snapshot.is_held).map(|snapshot| snapshot.name.clone()).collect(),
        destroy: ours().take(old(ours().count())).map(|snapshot| snapshot.name.clone()).collect(),
        forget: bookmarks()
            .take(old(bookmarks().count()))
            .map(|Bookmark { name, .. }| name.clone())
            .collect(),
    })
}

#[cfg(test)]
mod tests;
