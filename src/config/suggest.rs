//! What somebody probably meant.

/// The candidate that `word` is most likely a slip of, if any is near enough to be worth naming.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let slips = |candidate: &str| match candidate == word.to_lowercase().replace('_', "-") {
        // bwLimit, bw_limit
        true => 0,
        false => strsim::osa_distance(word, candidate),
    };
    let tolerable = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (slips(candidate), candidate))
        .filter(|(slips, _)| *slips <= tolerable)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_guesses_are_not_made() {
        let keys = ["retain", "retry", "blacklist-hours", "do-not-run", "tags"];
        for (word, meant) in [
            ("retian", Some("retain")),
            ("retrain", Some("retain")),
            ("blacklisthours", Some("blacklist-hours")),
            ("blacklist_hours", Some("blacklist-hours")),
            ("DO_NOT_RUN", Some("do-not-run")),
            ("tag", Some("tags")),
            ("encryption", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, keys), meant, "{word}");
        }
    }
}
