//! What would a retention do? Names in lines of text in, a verdict on each out, in the same order.

use super::{Reason, Retention};
use crate::fileset::snapshot::Snapshot;
use crate::fileset::zone::Zone;
use std::fmt;

/// One name as it was given, and what would become of it.
///
/// Written as three fields with tabs between: `keep`, the name, the reasons; or `destroy` or `foreign`, the name, and
/// an empty third field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged<'text> {
    pub name: &'text str,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Keep(Vec<Reason>),
    Destroy,
    Foreign,
}

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, reasons) = match &self.verdict {
            Verdict::Keep(reasons) => ("keep", Reason::join(reasons)),
            Verdict::Destroy => ("destroy", String::new()),
            Verdict::Foreign => ("foreign", String::new()),
        };
        write!(f, "{word}\t{}\t{reasons}", self.name)
    }
}

impl Retention {
    /// The verdict on the names in `text`, one a line. Blank lines are passed over; a name given twice is judged alike.
    pub fn what_if<'text>(&self, text: &'text str, zone: &Zone) -> Vec<Judged<'text>> {
        let names: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let snapshots: Vec<_> = names.iter().copied().map(Snapshot::from).collect();
        let plan = self.plan(&snapshots, zone);
        let verdict = |snapshot: &Snapshot| match snapshot {
            Snapshot::Foreign(_) => Verdict::Foreign,
            Snapshot::Automatic(one) if plan.destroy.binary_search(one).is_ok() => Verdict::Destroy,
            Snapshot::Automatic(_) | Snapshot::Kept(_) => Verdict::Keep(plan.reasons(snapshot).to_vec()),
        };
        names
            .into_iter()
            .zip(&snapshots)
            .map(|(name, snapshot)| Judged { name, verdict: verdict(snapshot) })
            .collect()
    }
}
