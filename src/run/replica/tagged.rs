//! A second copy: what another backup host keeps under a tag, as its planb names it at each run.
//!
//! What was once copied is known by what is here. That host's configuration adds to it, and takes nothing away: where it does
//! not name any more what is here, or has lost it, that is told, run after run, and the copy stays.

use super::source::{at, list};
use super::whole::{self, State};
use super::{Frozen, Story, Target, unexpected};
use crate::fileset::name::Tag;
use crate::fileset::record::Outcome;
use crate::fileset::replica::{Child, Dataset};
use crate::run::attempt::Cut;
use crate::run::carry::talk::{Broken, Talk};
use crate::storage::{Below, Copied};
use crate::transport::zfs::selection::{Exclude, Selection};
use crate::transport::zfs::wire::{Answer, Listing, Order, Snapshot, Source};

impl Story<'_> {
    /// Takes of another backup host's datasets what is a backup there.
    pub fn as_backed_up(
        &self,
        talk: &mut Talk<'_>,
        tag: &Tag,
        exclude: &[Exclude],
    ) -> Result<Frozen, Broken> {
        let (fileset, host) = (&self.s.fileset.name, &self.settings.login.host);
        let names = match talk.ask(&Order::Ask)? {
            Answer::Tagged(names) => names,
            answer => return Err(unexpected(answer)),
        };
        let selection = Selection::tagged(&names, exclude)
            .map_err(|clash| Cut::new(Outcome::Failure, clash.to_string()))?;
        let below = self.replica.below()?;
        let mut listing = list(talk, &selection)?;
        self.tidied(talk, &selection, &mut listing)?;
        let alone: Vec<Dataset> = listing.alone().map(|source| source.dataset.clone()).collect();
        let (mark, _) = self.snapshot(talk, &listing, &alone)?;
        // What was written since when is known of snapshots that nothing came between.
        let listing = list(talk, &selection)?;
        let concerns = differences(&below, &selection, &listing, host.as_str(), tag);
        for concern in &concerns {
            self.notice(concern);
        }
        let mut targets = Vec::new();
        for source in &listing.datasets {
            let dataset = &source.dataset;
            let now = source.snapshots.iter().find(|there| there.is_ours && there.name == mark);
            let (snapshot, rests) = match whole::state(&listing, source, now) {
                State::Now(now) => (now, false),
                State::Then(then) => {
                    let rests = is_here(&below, source, &then);
                    (then, rests)
                }
                State::Never => {
                    log::info!("{fileset}: no backup of {dataset} has come to its end on {host} yet");
                    continue;
                }
            };
            if rests {
                log::info!("{fileset}: {host} has made no new backup of {dataset}");
            }
            targets.push(Target { source: source.clone(), snapshot, rests });
        }
        if targets.iter().all(|target| target.rests) {
            let reason = format!("{host} has no backup with the tag {tag} that is not here already");
            return Err(Cut::new(Outcome::Deferred, reason).into());
        }
        Ok(Frozen { mark, targets, missing: Vec::new(), concerns })
    }
}

/// Whether that snapshot's state is here, or a later one.
fn is_here(below: &Below, source: &Source, wanted: &Snapshot) -> bool {
    let Some(newest) = at(below, &source.child).and_then(|copied| copied.snapshots.last()) else {
        return false;
    };
    let snapshots = source.snapshots.iter().map(|there| (there.guid, there.createtxg));
    let bookmarks = source.bookmarks.iter().map(|there| (there.guid, there.createtxg));
    snapshots.chain(bookmarks).any(|(guid, createtxg)| guid == newest.guid && createtxg >= wanted.createtxg)
}

/// What was copied and is not there any more, or not named.
fn differences(
    below: &Below,
    selection: &Selection,
    listing: &Listing,
    host: &str,
    tag: &Tag,
) -> Vec<String> {
    let is_there = |child: &Child| listing.datasets.iter().any(|source| source.child == *child);
    let is_named = |child: &Child| {
        let top = child.as_str().split('/').next().unwrap_or_default();
        selection.selected.iter().any(|selected| selected.child.as_str() == top)
    };
    let is_left_out =
        |dataset: &Dataset| selection.exclude.iter().any(|exclude| exclude.matches(dataset.as_str()));
    let mut told: Vec<&Child> = Vec::new();
    let mut concerns = Vec::new();
    for Copied { child, source, .. } in below.children.iter().filter(|copied| !copied.is_aside()) {
        let Some(dataset) = source.as_ref().filter(|dataset| !is_left_out(dataset)) else { continue };
        // What is below it is told with it.
        if is_there(child) || child.ancestors().any(|above| told.contains(&&above)) {
            continue;
        }
        told.push(child);
        concerns.push(if is_named(child) {
            format!("{host} has lost {dataset}, which is of tag:{tag}: the copy {child} is kept as it is")
        } else {
            format!(
                "{host} does not name {dataset} for tag:{tag} any more: the copy {child} is kept as it is (if that is meant, say \
                 so with exclude = [\"{dataset}\"])"
            )
        });
    }
    concerns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fileset::replica::Kind;

    fn copied(child: &str, source: Option<&str>) -> Copied {
        Copied {
            child: child.parse().expect("a name"),
            kind: Kind::Filesystem,
            source: source.map(|name| name.parse().expect("a name")),
            is_raw: false,
            origin: None,
            partial: None,
            snapshots: Vec::new(),
        }
    }

    #[test]
    fn what_was_copied_and_is_named_or_there_no_more_is_told_once_for_all_that_is_below() {
        let below = Below {
            children: vec![
                copied("web1", Some("t/B/web1")),
                copied("vms", Some("t/B/vms")),
                copied("vms/data", Some("t/B/vms/data")),
                copied("vms/data/sub", Some("t/B/vms/data/sub")),
                copied("vms/data.before-20260102T0304Z", Some("t/B/vms/data")),
                copied("old", Some("t/B/old")),
                copied("old/sub", Some("t/B/old/sub")),
                copied("meant", Some("t/B/meant")),
                copied("mine", None),
            ],
            own: Vec::new(),
        };
        let names = ["t/B/web1", "t/B/vms", "t/B/new"].map(|name| name.parse().expect("a name"));
        let exclude = ["t/B/me*".parse().expect("a pattern")];
        let selection = Selection::tagged(&names, &exclude).expect("no two alike");
        let listing = Listing {
            datasets: vec![Source::of("t/B/vms", "vms"), Source::of("t/B/web1", "web1")],
            missing: vec!["t/B/new".parse().expect("a name")],
        };
        let told = differences(&below, &selection, &listing, "backup1", &"offsite".parse().expect("a tag"));
        let [lost, unnamed] = told.as_slice() else { panic!("{told:#?}") };
        assert!(lost.starts_with("backup1 has lost t/B/vms/data, which is of tag:offsite"), "{lost}");
        assert!(unnamed.starts_with("backup1 does not name t/B/old for tag:offsite any more"), "{unnamed}");
    }
}
