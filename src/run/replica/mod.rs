//! A run whose datasets come whole from the pools of another host.
//!
//! The run, which is root and has no network, decides everything: it asks its hands at the source what there is, has all of
//! it snapshotted at one moment, plans ([`plan`]) and receives what they send. They only ever carry out an order.
//!
//! list → snapshot there → guard → receive each that changed, repeat the others → verify → hold here → the container's
//! snapshot → guard and prune there → release here. Whatever ends this at any moment leaves a state from which the next run
//! goes on: what was received stays and is built on, half a snapshot is gone on with, and of the old base and the new one
//! there is always one on both sides that nobody destroys.

mod incoming;
pub mod plan;
mod source;
mod unchanged;

use super::attempt::{self, Cut, Surroundings};
use super::carry;
use super::carry::talk::{Broken, Talk};
use super::slot::Slot;
use super::{Event, tell};
use crate::fileset::progress::{Totals, Transferred};
use crate::fileset::reason::chain;
use crate::fileset::record::{Outcome, Record};
use crate::fileset::replica::{Child, Dataset};
use crate::host::events;
use crate::keys::Keys;
use crate::storage::{self, Below, Claim, Replica, SnapshotName};
use crate::transport::zfs::settings::Settings;
use crate::transport::zfs::wire::{Answer, Base, Listing, Order, Snapshot};
use log::Level;
use plan::Wanted;
use std::path::PathBuf;

/// All that the story of a replication needs.
struct Story<'a> {
    s: &'a Surroundings<'a>,
    settings: &'a Settings,
    record: &'a Record,
    replica: &'a Replica,
    /// What the snapshot of this run is called here.
    name: &'a SnapshotName,
}

/// What came of it.
struct Told {
    transferred: Transferred,
    path: PathBuf,
}

/// Receives what there is at the source, and makes a snapshot of the fileset of it: its name, and where its files are.
pub fn make(
    s: &Surroundings<'_>,
    settings: &Settings,
    slot: Slot,
    record: &mut Record,
    watch: &mut dyn FnMut(Event<'_>),
) -> Result<(SnapshotName, PathBuf), Cut> {
    let fileset = s.fileset;
    let keys = fileset.encryption.as_ref().map(|source| Keys::new(s.host.paths, &fileset.name, source));
    let replica = s.storage.replica(&fileset.dataset, &fileset.name, keys.as_ref(), s.host.stop)?;
    let below = replica.below()?;
    let of_children = below.children.iter().flat_map(|copied| &copied.snapshots);
    let taken: Vec<&str> = below.own.iter().chain(of_children).map(|frozen| frozen.name.as_str()).collect();
    // Chosen now, because it is now that the source is frozen.
    let name = attempt::free_name(s, watch, |name| taken.contains(&name.to_string().as_str()))?;
    watch(Event::Transferring { until: s.host.clock.now() + fileset.timeout.duration() });
    let told = {
        let story = Story { s, settings, record, replica: &replica, name: &name };
        carry::converse(s, replica.copy(), replica.path(), watch, |talk| story.tell(talk, below))?
    };
    drop(slot);
    record.transferred = Some(told.transferred);
    record.exit_code = Some(0);
    Ok((name, told.path))
}

impl Story<'_> {
    /// `here`: what there is of it at the beginning.
    fn tell(&self, talk: &mut Talk<'_>, here: Below) -> Result<Told, Broken> {
        let (listing, targets) = self.freeze(talk)?;
        let bytes = targets.iter().map(|target| target.referenced).fold(0, u64::saturating_add);
        let totals = Totals { files: targets.len() as u64, bytes };
        attempt::guarded(self.s, self.record, totals)?;

        let mut wanted: Vec<Wanted<'_>> = listing
            .datasets
            .iter()
            .zip(&targets)
            .map(|(source, target)| Wanted {
                source,
                target,
                raw: self.settings.is_raw(source.encryption.is_some()),
                same: None,
            })
            .collect();
        self.compare(talk, &mut wanted, here)?;
        let received = self.receive_all(talk, &wanted)?;

        talk.watch(Event::Finishing);
        let name = self.name.to_string();
        let claims: Vec<Claim<'_>> = wanted
            .iter()
            .map(|wanted| Claim { child: &wanted.source.child, guid: wanted.target.guid, same: wanted.same })
            .collect();
        let below = self.replica.below()?;
        let kept = self.replica.verify(&below, &claims, &name)?;
        let bases: Vec<(&Child, &str)> =
            claims.iter().zip(&kept).map(|(claim, kept)| (claim.child, kept.name.as_str())).collect();
        self.replica.hold(&below, &bases)?;
        if self.s.host.stop.wished() {
            return Err(Cut::interrupted().into());
        }
        let fileset = &self.s.fileset.name;
        match self.replica.sweep(&below, &bases, self.name) {
            Ok(0) => {}
            Ok(swept) => log::info!("{fileset}: {swept} snapshots of unfinished runs are gone"),
            Err(error) => log::warn!("{fileset}: what unfinished runs left stays: {}", chain(&error)),
        }
        let path = match listing.missing.as_slice() {
            [] => Ok(self.replica.seal(self.name, wanted.len())?),
            missing => Err(self.missing(missing)),
        };
        self.let_go(talk, &wanted, &kept);
        let transferred = Transferred { totals: Some(totals), files: None, bytes: Some(received) };
        Ok(Told { transferred, path: path? })
    }

    /// What is on both sides now is what the next run builds on: what the one before built on may go. None of this is worth
    /// the backup, which is good; the next run sees to what is left.
    fn let_go(&self, talk: &mut Talk<'_>, wanted: &[Wanted<'_>], kept: &[&storage::Frozen]) {
        let name = &self.s.fileset.name;
        let of = |(wanted, kept): (&Wanted<'_>, &&storage::Frozen)| unchanged::base(wanted, kept);
        let bases: Vec<Option<Base>> = wanted.iter().zip(kept).map(of).collect();
        let order = Order::Keep { bases: bases.iter().flatten().cloned().collect() };
        let unguarded = match talk.ask(&order) {
            Ok(Answer::Kept { unguarded }) => unguarded,
            Ok(Answer::Cannot { reason, .. }) => {
                return log::warn!("{name}: nothing is let go at the source: {reason}");
            }
            Ok(Answer::Failed(failure)) => {
                return log::warn!("{name}: nothing is let go at the source: {failure}");
            }
            Ok(_) => return log::warn!("{name}: the transfer answers what it was not asked"),
            // Who ended it is told by who ends the conversation.
            Err(Broken::Gone) => return,
            Err(Broken::Cut(cut)) => {
                return log::warn!("{name}: nothing is let go at the source: {}", cut.reason);
            }
        };
        let is_guarded = |base: &Base| !unguarded.contains(&base.dataset);
        let guarded: Vec<(&Child, &str)> = wanted
            .iter()
            .zip(kept)
            .zip(&bases)
            .filter(|(_, base)| base.as_ref().is_some_and(is_guarded))
            .map(|((wanted, kept), _)| (&wanted.source.child, kept.name.as_str()))
            .collect();
        if let Err(error) = self.replica.release_others(&guarded) {
            log::warn!("{name}: what earlier transfers built on stays held: {}", chain(&error));
        }
    }

    fn missing(&self, missing: &[Dataset]) -> Cut {
        let names: Vec<&str> = missing.iter().map(Dataset::as_str).collect();
        let host = &self.settings.login.host;
        Cut::new(
            Outcome::Failure,
            format!(
                "{host} has no {} any more: what was backed up of it stays, the other datasets were received, and there is no \
                 snapshot of the fileset. Bring it back, or take it out of `datasets`",
                names.join(", ")
            ),
        )
    }

    /// What the administrator should know of the source.
    fn notice(&self, text: &str) {
        let name = &self.s.fileset.name;
        tell::event(self.record, Level::Warn, events::SOURCE_CHANGED, &[], format_args!("{name}: {text}"));
    }
}

/// The datasets of a source, and the snapshots of them that this run is about: in the same order.
type Frozen = (Listing, Vec<Snapshot>);

/// An answer to another question than was asked, or a failure.
fn unexpected(answer: Answer) -> Broken {
    match answer {
        Answer::Failed(failure) => Cut::from(failure).into(),
        Answer::Cannot { reason, .. } => Cut::new(Outcome::Failure, reason).into(),
        _ => Cut::new(Outcome::Failure, "the transfer answers what it was not asked").into(),
    }
}
