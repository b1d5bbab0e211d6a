//! The making of a plan: a model of what is here is changed by each step, and the next step is planned from that.

use super::{Base, How, Plan, Receive, Step, Wanted, Wish};
use crate::fileset::replica::{Child, Kind};
use crate::fileset::snapshot::Snapshot as Name;
use crate::storage::{ASIDE, Copied, Frozen, SnapshotName};
use crate::transport::zfs::wire::From;

/// A dataset here, as it will be when the steps so far have been taken.
struct Local {
    copied: Copied,
    was: Child,
    /// Put aside by this plan, and why.
    aside: Option<String>,
}

impl Local {
    fn of(copied: Copied) -> Self {
        Self { was: copied.child.clone(), copied, aside: None }
    }

    /// One that is to come, and has no snapshot yet.
    fn empty(child: Child, kind: Kind, is_raw: bool) -> Self {
        Self::of(Copied {
            child,
            kind,
            source: None,
            is_raw,
            origin: None,
            partial: None,
            snapshots: Vec::new(),
        })
    }
}

pub struct Planner<'a> {
    wanted: &'a [Wanted<'a>],
    pub(super) wish: Wish<'a>,
    here: Vec<Local>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    pub fn new(wanted: &'a [Wanted<'a>], here: Vec<Copied>, wish: Wish<'a>) -> Self {
        let here = here.into_iter().map(Local::of).collect();
        Self { wanted, wish, here, plan: Plan::default() }
    }

    pub fn plan(mut self) -> Plan {
        // First of all: whatever is looked for is then where it belongs.
        for one in self.wanted {
            self.finish_branch(&one.source.child);
        }
        for one in self.wanted.iter().filter(|one| !one.rests) {
            self.one(one);
        }
        self.tell();
        self.plan
    }

    fn one(&mut self, wanted: &Wanted<'_>) {
        let Wanted { source, raw, .. } = *wanted;
        let child = &source.child;
        if let Some(encryption) = source.encryption.as_ref().filter(|e| !raw && !e.key_is_loaded) {
            let (dataset, root) = (&source.dataset, &encryption.root);
            return self.plan.refusals.push(format!(
                "{dataset} is encrypted, its key is not loaded on the source, and raw = false: load it there (zfs load-key \
                 {root}), or have it raw"
            ));
        }
        self.make_way(wanted);
        if self.at(child).is_none() {
            self.adopt(wanted);
        }
        let is_encrypted_here =
            self.at(child).filter(|here| !here.snapshots.is_empty()).map(|here| here.is_raw);
        if let Some(was_raw) = is_encrypted_here
            && source.encryption.is_some()
            && was_raw != raw
        {
            let (dataset, how) = (&source.dataset, if was_raw { "raw" } else { "decrypted" });
            return self.plan.refusals.push(format!(
                "{dataset} was received {how} so far, and zfs cannot go on otherwise: set raw = {was_raw}, or rename {child} \
                 below the fileset's dataset (zfs rename), and the next run begins anew beside it"
            ));
        }
        self.receive(wanted);
    }

    /// A run that was ended while it put something aside may have left a clone that is not yet the older part of both.
    fn finish_branch(&mut self, child: &Child) {
        let Some(here) = self.at(child).filter(|here| here.snapshots.is_empty()) else { return };
        // From nothing else than what was put aside, whatever became of that since: nobody loses a past that he lives on.
        if let Some(origin) = here.origin.clone().filter(|origin| origin.child.as_str().contains(ASIDE)) {
            self.promote(child, &origin.child, &origin.snapshot);
        }
    }

    /// Sees to it that what is at the child's name, if anything is, is what the target builds on.
    fn make_way(&mut self, wanted: &Wanted<'_>) {
        let child = &wanted.source.child;
        self.forget_partial(wanted);
        let Some(here) = self.at(child).filter(|here| here.partial.is_none()) else { return };
        let Some(newest) = here.snapshots.last() else {
            // Nobody's history. Nothing can be received over it.
            let why = format!("{child} was empty: it is in the way, and is called {{}} now");
            return self.put_aside(child, &why);
        };
        match self.newest_common(here, wanted) {
            Some((at, _)) if here.snapshots[at].guid == newest.guid => {}
            Some((at, _)) => {
                let (base, later) = (&here.snapshots[at].name, &here.snapshots[at + 1..]);
                if !later.iter().any(is_received) {
                    let names: Vec<&str> = later.iter().map(|there| there.name.as_str()).collect();
                    return self.plan.refusals.push(format!(
                        "{child} has snapshots that did not come from the source, and nothing can be received on top of \
                         them: {}. Destroy them, and see to it that nothing makes more",
                        names.join(", ")
                    ));
                }
                // From where it will be found again.
                let dataset = &wanted.source.dataset;
                let why =
                    format!("{dataset} went back to {base} since: what it was after that is kept as {{}}");
                self.put_aside(child, &why);
            }
            None => {
                let why = format!(
                    "{} has nothing in common any more with what was backed up: it was made anew, or lost the snapshots and \
                     bookmarks of PlanB. It is transferred anew, and what there was is kept as {{}}",
                    wanted.source.dataset
                );
                self.put_aside(child, &why);
            }
        }
    }

    fn promote(&mut self, child: &Child, origin: &Child, snapshot: &str) {
        self.plan.steps.push(Step::Promote { child: child.clone() });
        let Some(older) = self.here.iter_mut().find(|local| local.copied.child == *origin) else { return };
        let Some(at) = older.copied.snapshots.iter().position(|there| there.name == snapshot) else { return };
        let moved: Vec<Frozen> = older.copied.snapshots.drain(..=at).collect();
        // Other clones of these follow them.
        for local in &mut self.here {
            let Some(began) = &mut local.copied.origin else { continue };
            if began.child == *origin && moved.iter().any(|there| there.name == began.snapshot) {
                began.child = child.clone();
            }
        }
        if let Some(local) = self.here.iter_mut().find(|local| local.copied.child == *child) {
            local.copied.snapshots = moved;
            local.copied.origin = None;
        }
    }

    /// Half a snapshot that cannot be gone on with is in the way of any other.
    fn forget_partial(&mut self, wanted: &Wanted<'_>) {
        let child = &wanted.source.child;
        let Some(partial) = self.at(child).and_then(|here| here.partial.as_ref()) else { return };
        if self.resumable(wanted, partial.to).is_none() || self.wish.spurned.partials.contains(child) {
            self.plan.steps.push(Step::Abandon { child: child.clone() });
            self.abandon(child);
        }
    }

    fn abandon(&mut self, child: &Child) {
        // What was only a part of a first snapshot is gone with it.
        self.here.retain(|local| local.copied.child != *child || !local.copied.snapshots.is_empty());
        for local in self.here.iter_mut().filter(|local| local.copied.child == *child) {
            local.copied.partial = None;
        }
    }

    /// What is under another name here and nobody else's: all of it, where the source goes on from its end, or what there
    /// was until they parted.
    fn adopt(&mut self, wanted: &Wanted<'_>) {
        let child = &wanted.source.child;
        let is_claimed = |local: &&Local| {
            self.wanted.iter().any(|other| {
                other.source.child == local.copied.child && self.newest_common(&local.copied, other).is_some()
            })
        };
        let common = |local: &Local| {
            let (at, base) = self.newest_common(&local.copied, wanted)?;
            let is_newest = at + 1 == local.copied.snapshots.len();
            let snapshot = local.copied.snapshots[at].name.clone();
            Some((base.createtxg, local.copied.clone(), local.was.clone(), snapshot, is_newest))
        };
        let unclaimed = self.here.iter().filter(|local| !is_claimed(local));
        let Some((_, of, was, snapshot, is_newest)) =
            unclaimed.filter_map(common).max_by_key(|(createtxg, ..)| *createtxg)
        else {
            return;
        };
        self.provide_parents(child);
        if !is_newest {
            let (aside, child) = (of.child.clone(), child.clone());
            self.plan.steps.push(Step::Branch { aside, snapshot: snapshot.clone(), child: child.clone() });
            self.here.push(Local::empty(child.clone(), of.kind, of.is_raw));
            return self.promote(&child, &of.child, &snapshot);
        }
        if was != *child {
            self.plan.notices.push(format!("{was} is {child} at the source now, and here"));
        }
        self.rename(&of.child, child);
        for local in self.here.iter_mut().filter(|local| local.copied.child == *child) {
            local.aside = None;
        }
        self.forget_partial(wanted);
    }

    fn receive(&mut self, wanted: &Wanted<'_>) {
        let Wanted { source, target, raw, .. } = *wanted;
        let child = &source.child;
        self.provide_parents(child);
        let one = |is_new, name: String, guid, how| {
            Step::Receive(Receive { child: child.clone(), kind: source.kind, is_new, name, guid, how, raw })
        };
        let (mut base, mut is_new) = (None, true);
        if let Some(here) = self.at(child) {
            is_new = false;
            base = self.newest_common(here, wanted).map(|(_, base)| base);
            let partial = here.partial.as_ref();
            if let Some((partial, (resumed, name))) =
                partial.and_then(|partial| Some((partial, self.resumable(wanted, partial.to)?)))
            {
                let how = How::Resume { token: partial.token.clone() };
                self.plan.steps.push(one(false, name, resumed.guid, how));
                let createtxg = resumed.createtxg;
                base =
                    Some(Base { guid: resumed.guid, createtxg, from: From::Snapshot(resumed.name.clone()) });
            }
        }
        if base.as_ref().is_none_or(|base| base.guid != target.guid) {
            self.plan.steps.push(one(is_new, self.wish.name.to_string(), target.guid, How::Send { base }));
        }
        if is_new {
            self.here.push(Local::empty(child.clone(), source.kind, raw));
        }
    }

    fn at(&self, child: &Child) -> Option<&Copied> {
        self.here.iter().map(|local| &local.copied).find(|copied| copied.child == *child)
    }

    /// Gives it another name. `why` has `{}` where that goes.
    fn put_aside(&mut self, child: &Child, why: &str) {
        let mut again = 1_u32;
        let aside = loop {
            let number = if again == 1 { String::new() } else { format!(".{again}") };
            let name = format!("{child}{ASIDE}{}{number}", self.wish.stamp);
            match name.parse::<Child>() {
                Ok(aside) if self.at(&aside).is_none() => break aside,
                Ok(_) => again += 1,
                Err(invalid) => {
                    let why = format!("{child} is to be put aside as {name}: {invalid}");
                    return self.plan.refusals.push(why);
                }
            }
        };
        self.rename(child, &aside);
        for local in self.here.iter_mut().filter(|local| local.copied.child == aside) {
            local.aside = Some(why.to_owned());
        }
    }

    fn rename(&mut self, from: &Child, to: &Child) {
        self.plan.steps.push(Step::Rename { from: from.clone(), to: to.clone() });
        for local in &mut self.here {
            if let Some(moved) = local.copied.child.moved(from, to) {
                local.copied.child = moved;
            }
        }
    }

    fn provide_parents(&mut self, child: &Child) {
        for parent in child.ancestors() {
            if self.at(&parent).is_some() {
                continue;
            }
            self.plan.steps.push(Step::Parent { child: parent.clone() });
            self.here.push(Local::empty(parent, Kind::Filesystem, false));
        }
    }

    /// What stayed aside is told, and, once, what the source has no more.
    fn tell(&mut self) {
        for Local { copied, was, aside } in &self.here {
            let is_wanted = || self.wanted.iter().any(|wanted| wanted.source.child == copied.child);
            let had = |newest: &SnapshotName| {
                let newest = newest.to_string();
                copied.snapshots.iter().any(|there| there.name == newest)
            };
            if let Some(why) = aside {
                self.plan.notices.push(why.replace("{}", copied.child.as_str()));
            } else if self.wish.newest.is_some_and(had) && !is_wanted() && !was.as_str().contains(ASIDE) {
                self.plan.notices.push(format!(
                    "{was} is not at the source any more: what was backed up of it stays for as long as `retain` keeps it, and its \
                     last snapshot for good"
                ));
            }
        }
    }
}

/// Whether a snapshot came from a source: others have other names.
fn is_received(frozen: &Frozen) -> bool {
    let by_us = frozen.name.starts_with("planb-");
    by_us || !matches!(Name::from(frozen.name.as_str()), Name::Foreign(_))
}
