//! The events that have a `MESSAGE_ID`, by which the journal finds them and `journalctl -x` explains them.
//!
//! An id is never changed or used again: scripts filter by it. What an administrator should do is said in
//! units/catalog/planb.catalog, which has an entry for each of these.

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $id;)*
        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

events! {
    RUN_SUCCEEDED = "e9303d198d5b46ae88305ee4c50370b9";
    RUN_FAILED = "84d7c24c59b643339f566a67689c5993";
    /// Not now; it will be tried again.
    RUN_DEFERRED = "4ed38568581141cb8525d5e291bc19ed";
    /// The transfer took longer than the fileset's `timeout`.
    RUN_TIMED_OUT = "298471e3421a43398d383a9ca1555a15";
    /// A person stopped it.
    RUN_INTERRUPTED = "0c1ff62856444df89331508dfc52124d";
    /// It ended without a word: SIGKILL, no memory, no power.
    RUN_KILLED = "8c3c9e8df8844597afaffab50ed72b9a";
    SNAPSHOT_DESTROYED = "441e463a06e94f6ba1f5cdcea3a89e26";
    /// Snapshots that retention does not keep could not be destroyed, or which ones could not be told.
    RETENTION_TROUBLE = "a2d027fa983e411480168fc9ff810d30";
    /// The source lost more than `max-shrink`, or the storage has less than `min-free`.
    GUARD_REFUSED = "06c4b9071fd84fb596e84d1ebc614332";
    /// A source of datasets was rolled back, made anew, renamed, or lost some: what there was stays here.
    SOURCE_CHANGED = "5e6f0c3b9a1d4c6e8f21b7d40a93ce58";
    CONFIGURATION_INVALID = "bb14962dc1094e37988ccf4a65ffb636";
    /// The history could not be written or read.
    HISTORY_TROUBLE = "31e2b49b09014f7293b29b815492acf8";
    HOOK_FAILED = "6db296ab7ed746299cbcab9c755bff92";
    RETRY_SCHEDULED = "3b40045fe4514c7cbe402901391beabd";
    /// systemd follows the configuration as it is now.
    CONFIGURATION_RELOADED = "330d80fc5ae24a849db9c3b10ed95118";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const CATALOG: &str = include_str!("../../units/catalog/planb.catalog");

    #[test]
    fn every_event_is_in_the_catalog_and_nothing_else_is() {
        let entries: Vec<&str> = CATALOG.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        let catalog: BTreeSet<&str> = entries.iter().copied().collect();
        assert_eq!(catalog, ALL.iter().copied().collect());
        assert_eq!((entries.len(), ALL.len()), (catalog.len(), catalog.len()), "each once");
    }

    #[test]
    fn an_id_is_128_bits_as_the_journal_writes_them() {
        for id in ALL {
            assert!(id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        }
    }

    #[test]
    fn every_entry_has_a_subject_and_says_what_to_do() {
        for entry in CATALOG.split("\n-- ").skip(1) {
            let (head, text) = entry.split_once("\n\n").expect("a head and a text");
            assert!(head.contains("\nSubject: ") && head.contains("\nDefined-By: PlanB"), "{entry}");
            assert!(text.trim().len() > 80, "{entry}");
        }
    }
}
