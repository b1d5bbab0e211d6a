//! Datasets to which nothing was written since what is here of them: nothing needs to come, and a snapshot of what is here is
//! as good.

use super::{Base, Wanted};
use crate::fileset::replica::{Child, CopyId, Mark};
use crate::storage::Copied;
use crate::transport::zfs::wire::From;

/// One whose listing has nothing written since a snapshot that is here: it is worth asking. No proof, since a listing is of
/// no one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likely {
    pub child: Child,
    pub from: Mark,
    pub guid: u64,
}

pub fn likely(wanted: &Wanted<'_>, here: &Copied, base: &Base, copy: CopyId) -> Option<Likely> {
    let Wanted { source, target, .. } = *wanted;
    // With only a bookmark there is nothing to ask about.
    let From::Snapshot(from) = &base.from else { return None };
    let mut since = source.snapshots.iter().filter(|there| there.createtxg > base.createtxg);
    let is_unwritten = target.written == 0 && since.all(|there| there.written == 0);
    let is_likely = is_unwritten && copy.names(from) && can_repeat(wanted, here);
    is_likely.then(|| Likely { child: source.child.clone(), from: from.clone(), guid: base.guid })
}

/// Whether the source has shown that nothing was written since what is here.
pub fn is_proven(wanted: &Wanted<'_>, here: &Copied, base: &Base) -> bool {
    wanted.same == Some(base.guid) && can_repeat(wanted, here)
}

/// A stream can come on top of repeats, but no raw one; that brings also the key that another one is wrapped with since.
/// And nothing is put on top of what half a snapshot belongs on.
fn can_repeat(wanted: &Wanted<'_>, here: &Copied) -> bool {
    let is_raw = wanted.raw && wanted.source.encryption.is_some();
    !is_raw && !here.is_raw && here.partial.is_none()
}
