//! The guard: looks at what the source has become before that becomes history.

use crate::fileset::progress::Totals;
use crate::fileset::quantity::{Percent, Size};

/// Why the guard keeps a transfer from becoming a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the source lost {what} since the last good run (from {before} to {after}), more than max-shrink = \"{limit}\" \
     allows; no snapshot was made and none destroyed. If this is right: planb run {fileset} --accept-shrink"
)]
pub struct Shrunk {
    what: String,
    before: String,
    after: String,
    limit: Percent,
    fileset: String,
}

/// Refuses a source that lost more than `limit` of its files or of its bytes.
pub fn shrink(fileset: &str, before: Totals, after: Totals, limit: Percent) -> Result<(), Shrunk> {
    let lost_too_much = |before: u64, after: u64| before.saturating_sub(after) > limit.of(before);
    let refuse = |what: &str, before: u64, after: u64, show: fn(u64) -> String| {
        let share = u128::from(before - after) * 100 / u128::from(before);
        Err(Shrunk {
            what: format!("{share}% of its {what}"),
            before: show(before),
            after: show(after),
            limit,
            fileset: fileset.to_owned(),
        })
    };
    if lost_too_much(before.bytes, after.bytes) {
        return refuse("bytes", before.bytes, after.bytes, |bytes| Size::from_bytes(bytes).to_string());
    }
    if lost_too_much(before.files, after.files) {
        return refuse("files", before.files, after.files, |files| files.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(files: u64, bytes: u64) -> Totals {
        Totals { files, bytes }
    }

    #[test]
    fn losing_more_than_the_limit_of_either_is_refused() {
        let half = "50%".parse().expect("a share");
        let before = totals(100, 1000);
        for (after, allowed) in [
            (totals(100, 1000), true),
            (totals(200, 5000), true),
            (totals(50, 500), true),
            (totals(49, 1000), false),
            (totals(100, 499), false),
            (totals(0, 0), false),
        ] {
            assert_eq!(shrink("web1", before, after, half).is_ok(), allowed, "{after:?}");
        }
        assert_eq!(shrink("web1", totals(0, 0), totals(0, 0), half), Ok(()));
    }

    #[test]
    fn the_refusal_says_what_to_do() {
        let refusal = shrink("web1", totals(9, 3 << 20), totals(9, 1 << 20), "50%".parse().expect("a share"));
        let text = refusal.expect_err("two thirds are gone").to_string();
        assert!(text.contains("66% of its bytes"), "{text}");
        assert!(text.contains("from 3.0 MiB to 1.0 MiB"), "{text}");
        assert!(text.ends_with("planb run web1 --accept-shrink"), "{text}");
    }
}
