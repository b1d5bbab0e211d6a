//! All that a run does at the source, done once with snapshots of nobody's and undone again: whether the source allows it is
//! seen in no other way. zfs says of names that do not exist that they do not, whoever asks.

use super::wire::{Answer, Dataset, From, Mark, Send, Source, Span, Why};
use super::{Done, Hands, command};
use crate::host::output::Lines;
use crate::host::process::Stream as Output;
use crate::transport::said::{Said, printable};
use crate::transport::{Event, Failure};
use std::ops::ControlFlow;

/// What the snapshots and bookmarks are called: of the copy 0, of which there is none.
const NAME: &str = "planb-19700101T000000Z-0000000000000000";

/// Told of each thing that was tried: what it is, and why it did not work.
type Told<'a> = &'a mut dyn FnMut(String, Option<String>) -> bool;

impl Hands<'_> {
    /// Tries everything. Whether so much as the list could be had, without which nothing is known.
    pub fn rehearse(&mut self, tell: &mut dyn FnMut(Event), told: Told<'_>) -> bool {
        let asked = self.settings.datasets.iter().map(|selected| selected.dataset.as_str());
        let of = asked.collect::<Vec<_>>().join(", ");
        let (what, listing) = (format!("list {of}"), self.list(tell));
        let sources = match listing {
            Err(failure) => return told(what, Some(failure.reason)),
            Ok(listing) if !listing.missing.is_empty() => {
                let missing: Vec<&str> = listing.missing.iter().map(Dataset::as_str).collect();
                return told(what, Some(format!("not there: {}", missing.join(", "))));
            }
            Ok(listing) => listing.datasets,
        };
        told(what, None);
        let Ok(name) = NAME.parse::<Mark>() else { return false };
        let datasets: Vec<Dataset> = sources.iter().map(|source| source.dataset.clone()).collect();

        let made = match self.snapshot(&name, &datasets, tell) {
            Ok(Answer::Snapshots(_) | Answer::Cannot { why: Why::Taken, .. }) => None,
            Ok(Answer::Cannot { reason, .. }) => Some(reason),
            Ok(_) => Some("it did not say what came of it".to_owned()),
            Err(failure) => Some(failure.reason),
        };
        let of = |dataset: &Dataset| Span { dataset: dataset.clone(), from: name.clone(), to: name.clone() };
        let spans: Vec<Span> = datasets.iter().map(of).collect();
        // What was made is also looked at.
        let made = made.or_else(|| self.each(command::written(&spans), tell));
        if !told("snapshot them".to_owned(), made) {
            return true;
        }
        let pairs = || datasets.iter().map(|dataset| (dataset, &name));
        let all = |commands: Vec<String>, tell: &mut dyn FnMut(Event)| self.each(commands, tell);
        let wrong = all(command::hold(pairs(), self.copy), tell);
        told("hold their snapshots".to_owned(), wrong);
        let wrong = all(datasets.iter().map(|dataset| command::bookmark(dataset, &name)).collect(), tell);
        told("bookmark them".to_owned(), wrong);
        let begun = sources.iter().find_map(|source| self.begin_to_send(source, &name).err());
        told("send them".to_owned(), begun.map(|failure| failure.reason));
        let wrong = all(command::release(pairs(), self.copy), tell);
        told("let go what it holds".to_owned(), wrong);
        let sudo = self.settings.sudo;
        let destroy = datasets.iter().map(|dataset| command::destroy(dataset, &[&name], sudo));
        let wrong = all(destroy.collect(), tell);
        let as_root = if sudo { ", as root" } else { "" };
        told(format!("destroy PlanB's own snapshots{as_root}"), wrong);
        let forget = datasets.iter().map(|dataset| command::forget(dataset, &name, sudo));
        let wrong = all(forget.collect(), tell);
        told(format!("destroy PlanB's own bookmarks{as_root}"), wrong);
        true
    }

    /// Runs all of them. Why the first that did not end well did not.
    fn each(&self, commands: Vec<String>, tell: &mut dyn FnMut(Event)) -> Option<String> {
        let mut wrong = None;
        for command in commands {
            match self.run(&command, tell) {
                // What an earlier look left behind is as good.
                Ok(done)
                    if done.ending.is_clean() || done.said.lines().any(|line| line.contains("exists")) => {}
                Ok(done) => wrong = wrong.or_else(|| Some(self.reason("do that", &done))),
                Err(failure) => wrong = wrong.or(Some(failure.reason)),
            }
        }
        wrong
    }

    /// Sends until something comes.
    fn begin_to_send(&self, source: &Source, name: &Mark) -> Result<(), Failure> {
        let send = Send {
            dataset: source.dataset.clone(),
            snapshot: name.clone(),
            from: From::Nothing,
            raw: self.settings.is_raw(source.encryption.is_some()),
        };
        let program = self
            .connection
            .command(&command::send(&send, self.settings))
            .map_err(|e| Failure::because("failed to run ssh", &e))?;
        let (mut came, mut said, mut lines) = (false, Said::default(), Lines::default());
        let ending = program
            .run_while(self.limits, |output, bytes| {
                if output == Output::Out {
                    came = true;
                    return ControlFlow::Break(());
                }
                lines.push(bytes, |line| said.keep(&printable(line)));
                ControlFlow::Continue(())
            })
            .map_err(|e| Failure::because("failed to run ssh", &e))?;
        if came {
            return Ok(());
        }
        let done = Done { ending, stdout: String::new(), said };
        match self.cannot("send", None, &done)? {
            Some(Answer::Cannot { reason, .. }) => Err(Failure::failed(reason)),
            _ => Err(Failure::failed(format!("{} sent nothing", self.settings.login.host))),
        }
    }
}
