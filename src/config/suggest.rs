//! What somebody probably meant.

/// The candidate that `word` is most likely a slip of, if any is near enough to be worth naming.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // bwLimit and bw_limit are not even slips.
    let usual = word.to_lowercase().replace('_', "-");
    let slips = |candidate: &str| if candidate == usual { 0 } else { strsim::osa_distance(word, candidate) };
    let tolerable = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (slips(candidate), candidate))
        .filter(|(slips, _)| *slips <= tolerable)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `"a"`, `"a" or "b"`, `"a", "b" or "c"`.
pub fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("{word:?}")).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} or {last}", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_as_a_sentence() {
        assert_eq!(one_of(["a"]), "\"a\"");
        assert_eq!(one_of(["a", "b"]), "\"a\" or \"b\"");
        assert_eq!(one_of(["a", "b", "c"]), "\"a\", \"b\" or \"c\"");
    }

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
