//! Taking the steps of plans, until all is here.

use super::plan::{How, Plan, Receive, Spurned, Step, Wanted, Wish, plan};
use super::{Story, unexpected};
use crate::fileset::reason::chain;
use crate::fileset::record::Outcome;
use crate::fileset::replica::Kind;
use crate::fileset::snapshot::Automatic;
use crate::run::attempt::Cut;
use crate::run::carry::talk::{Broken, Talk};
use crate::storage::{Below, Expected, Received, SnapshotName};
use crate::transport::zfs::wire::{Answer, From, Order, Send, Why};
use std::collections::BTreeSet;

/// How many plans one run makes: each after the first because the last came otherwise than it should.
const PLANS: usize = 12;

/// What became of a step.
enum Came {
    /// So many bytes.
    Done(u64),
    /// Not as planned: another plan knows better.
    Again { bytes: u64, why: String },
}

impl Story<'_> {
    /// Receives all of these, and tells how many bytes that took.
    pub fn receive_all(&self, talk: &mut Talk<'_>, wanted: &[Wanted<'_>]) -> Result<u64, Broken> {
        let mut spurned = Spurned::default();
        let mut told = BTreeSet::new();
        let (mut bytes, mut last) = (0, String::new());
        for _ in 0..PLANS {
            let Plan { steps, notices, refusals, .. } = self.plan(wanted, self.replica.below()?, &spurned);
            if !refusals.is_empty() {
                return Err(Cut::new(Outcome::Failure, refusals.join("; ")).into());
            }
            for notice in notices {
                if told.insert(notice.clone()) {
                    self.notice(&notice);
                }
            }
            if steps.is_empty() {
                return Ok(bytes);
            }
            let mut complete = true;
            for step in &steps {
                match self.take(talk, step, wanted, &mut spurned)? {
                    Came::Done(came) => bytes += came,
                    Came::Again { bytes: came, why } => {
                        bytes += came;
                        log::info!("{}: {why}; another way is tried", self.s.fileset.name);
                        (last, complete) = (why, false);
                        break;
                    }
                }
            }
            if complete {
                return Ok(bytes);
            }
        }
        Err(Cut::new(Outcome::Failure, format!("no way leads to the source's state: {last}")).into())
    }

    pub fn plan(&self, wanted: &[Wanted<'_>], here: Below, spurned: &Spurned) -> Plan {
        let newest = here.own.iter().rev().find_map(|own| SnapshotName::parse(&own.name));
        let stamp = Automatic::at(self.name.time()).to_string();
        let wish = Wish {
            copy: self.replica.copy(),
            name: self.name,
            stamp: stamp.trim_start_matches("planb-"),
            newest: newest.as_ref(),
            spurned,
        };
        plan(wanted, here.children, wish)
    }

    fn take(
        &self,
        talk: &mut Talk<'_>,
        step: &Step,
        wanted: &[Wanted<'_>],
        spurned: &mut Spurned,
    ) -> Result<Came, Broken> {
        let replica = self.replica;
        let done = match step {
            Step::Abandon { child } => replica.abandon(child),
            Step::Rename { from, to } => replica.rename(from, to),
            Step::Branch { aside, snapshot, child } => {
                let of = wanted.iter().find(|wanted| wanted.source.child == *child);
                let kind = of.map_or(Kind::Filesystem, |of| of.source.kind);
                replica.branch(aside, snapshot, child, kind)
            }
            Step::Promote { child } => replica.promote(child),
            Step::Parent { child } => replica.parent(child),
            Step::Repeat { children } => replica.repeat(children, &self.name.to_string()),
            Step::Receive(receive) => {
                let Some(wanted) = wanted.iter().find(|wanted| wanted.source.child == receive.child) else {
                    return Err(Cut::new(Outcome::Failure, "a step without a dataset was planned").into());
                };
                return self.receive(talk, receive, wanted, spurned);
            }
        };
        Ok(done.map(|()| Came::Done(0))?)
    }

    fn receive(
        &self,
        talk: &mut Talk<'_>,
        receive: &Receive,
        wanted: &Wanted<'_>,
        spurned: &mut Spurned,
    ) -> Result<Came, Broken> {
        let Receive { child, kind, is_new, name, guid, how, raw } = receive;
        let dataset = &wanted.source.dataset;
        let (order, base) = match how {
            How::Resume { token } => (Order::Resume { token: token.clone() }, None),
            How::Send { base } => {
                let from = base.as_ref().map_or(From::Nothing, |base| base.from.clone());
                let send =
                    Send { dataset: dataset.clone(), snapshot: wanted.target.name.clone(), from, raw: *raw };
                (Order::Send(send), Some(base.as_ref().map_or(0, |base| base.guid)))
            }
        };
        let (is_new, guid) = (*is_new, *guid);
        let expected = Expected { child, source: dataset, name, kind: *kind, is_new, guid, base, raw: *raw };
        let (answer, took) =
            talk.fetch(&order, |stream, limits| self.replica.receive(&expected, stream, limits))?;
        let resumed = matches!(how, How::Resume { .. });
        let bytes = if let Answer::Sent { bytes } = answer { bytes } else { 0 };
        let again = |why: String| Ok(Came::Again { bytes, why });
        let mut spurn = || {
            if let (false, Some(base)) = (resumed, base) {
                spurned.bases.insert((child.clone(), base));
            } else {
                spurned.partials.insert(child.clone());
            }
        };
        match (took, answer) {
            // All of it is here, by its own checksums, whatever befell those who sent it afterwards.
            (Some(Ok(Received::Whole)), _) => Ok(Came::Done(bytes)),
            (Some(Ok(Received::Stopped)), _) => Err(Cut::interrupted().into()),
            (Some(Ok(Received::TimedOut)), _) => {
                let reason = format!("receiving {dataset} took longer than the fileset's `timeout`");
                Err(Cut::new(Outcome::Timeout, reason).into())
            }
            (Some(Ok(Received::Busy)), _) => {
                talk.pause()?;
                again(format!("something is still at work in {child}"))
            }
            (Some(Err(error)), _) if resumed && !error.is_lasting() => {
                spurn();
                again(format!("what is here of {child} cannot be gone on with: {}", chain(&error)))
            }
            (Some(Err(error)), _) => Err(error.into()),
            (_, Answer::Cannot { why: Why::TokenGone | Why::BaseGone | Why::BaseNotEarlier, reason }) => {
                spurn();
                again(reason)
            }
            (Some(Ok(Received::Broken { said })), Answer::Sent { .. }) => {
                if resumed {
                    spurn();
                }
                again(format!("the stream of {dataset} is broken: {said}"))
            }
            // It did not end early there, but here.
            (Some(Ok(Received::Broken { said })), Answer::Cannot { why: Why::NotTaken, .. }) => {
                if resumed {
                    spurn();
                }
                again(format!("the stream of {dataset} cannot be received: {said}"))
            }
            (None, Answer::Sent { .. }) => {
                Err(Cut::new(Outcome::Failure, format!("nothing came of {dataset}")).into())
            }
            (_, answer) => Err(unexpected(answer)),
        }
    }
}
