//! Whether anything was written to a dataset between two of its snapshots.
//!
//! What a listing says is no proof: it is of no one moment, and what a snapshot is said to have written is since the one
//! before it, which may have come and gone meanwhile. zfs is asked for the two at once.

use super::wire::{Answer, Dataset, Span};
use super::{Hands, command};
use crate::transport::{Event, Failure};
use std::collections::BTreeSet;

impl Hands<'_> {
    /// Whatever is not known is not the same: it is sent.
    pub(super) fn compare(&self, spans: &[Span], tell: &mut dyn FnMut(Event)) -> Result<Answer, Failure> {
        let commands = command::written(spans);
        let (mut left, mut text) = (commands.as_slice(), String::new());
        while !left.is_empty() {
            let (number, row) = command::row(left);
            left = &left[number..];
            let done = self.run(&row, tell)?;
            if !done.ending.is_clean() {
                let why = self.reason("compare its snapshots", &done);
                tell(Event::Degraded(format!(
                    "all is sent that it could not be seen of whether it changed: {why}"
                )));
            }
            text.push_str(&done.stdout);
        }
        Ok(Answer::Same(same(&text, spans)))
    }
}

/// The output of `zfs list -Hp -o name,written@FROM -t snapshot DATASET@TO...` for several FROM:
///
/// ```text
/// rpool/data@planb-20260102T030405Z-0000000000000007  0
/// rpool/vm@planb-20260102T030405Z-0000000000000007  14336
/// rpool/new@planb-20260102T030405Z-0000000000000007  -
/// ```
///
/// Not a byte written is the same root of the same tree: whatever changes makes at least that anew
/// (`dsl_dataset_space_written` and `dmu_objset_write_done` of OpenZFS).
fn same(text: &str, spans: &[Span]) -> Vec<Dataset> {
    let unwritten: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_suffix("\t0")).collect();
    let is_same = |span: &&Span| unwritten.contains(format!("{}@{}", span.dataset, span.to).as_str());
    spans.iter().filter(is_same).map(|span| span.dataset.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::command::tests::{dataset, mark, span};
    use super::*;

    #[test]
    fn only_what_is_said_to_be_the_same_is() {
        let now = mark("planb-20260102T030405Z-0000000000000007");
        let names = ["r/a", "r/b", "r/c", "r/d", "r/e"];
        let spans: Vec<Span> = names.iter().map(|name| span(&dataset(name), &mark("x"), &now)).collect();
        let text =
            format!("r/a@{now}\t0\nr/b@{now}\t10\nr/c@{now}\t-\nr/d@other\t0\nr/f@{now}\t0\nr/e@{now}\t");
        assert_eq!(same(&text, &spans), [dataset("r/a")]);
    }
}
