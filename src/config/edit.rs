//! A drop-in's text with one thing changed, and otherwise as its author wrote it.

use super::document::Document;
use super::keys;
use super::reader;
use super::show::quoted;
use std::path::PathBuf;
use std::sync::Arc;

/// The text of a drop-in for another source host, without a dataset of its own: that is the first one's. `None` where it
/// has no host to change.
pub fn for_host(text: &str, host: &str) -> Option<String> {
    let document = Arc::new(Document { path: PathBuf::new(), text: text.to_owned() });
    let layer = reader::drop_in(&document).ok()?;
    let mut edits = vec![(layer.get(&keys::HOST)?.value.span.clone(), quoted(host))];
    if let Some(dataset) = layer.get(&keys::DATASET) {
        let start = text[..dataset.key.start].rfind('\n').map_or(0, |end| end + 1);
        let end = text[dataset.value.span.end..]
            .find('\n')
            .map_or(text.len(), |at| dataset.value.span.end + at + 1);
        edits.push((start..end, String::new()));
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut changed = text.to_owned();
    for (span, by) in edits.into_iter().rev() {
        changed.replace_range(span, &by);
    }
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_dataset_change() {
        let text = "# Ours.\nretain = '7d' # a week\n dataset = \"old\"  # was moved\r\ntags=[\n 'a', # one\n]\n\n[rsync]\n\
                    host = 'web1.example'  # the first\ninclude = [\"/etc\"]\n";
        let changed = for_host(text, "web2.example").expect("it has a host");
        assert_eq!(
            changed,
            "# Ours.\nretain = '7d' # a week\ntags=[\n 'a', # one\n]\n\n[rsync]\nhost = \"web2.example\"  # the first\n\
             include = [\"/etc\"]\n"
        );
    }

    #[test]
    fn however_the_host_is_written_it_is_found() {
        for (text, wanted) in [
            ("rsync.host = \"a\"\nrsync.include=['/']", "rsync.host = \"b\"\nrsync.include=['/']"),
            ("rsync = { host = 'a', include = ['/'] }", "rsync = { host = \"b\", include = ['/'] }"),
            ("[rsync]\n\"host\" = '''a'''", "[rsync]\n\"host\" = \"b\""),
            ("dataset = 'x'\nrsync.host = 'é'", "rsync.host = \"b\""),
        ] {
            assert_eq!(for_host(text, "b").as_deref(), Some(wanted));
        }
        assert_eq!(for_host("[rsync]\ninclude = ['/']", "b"), None);
        assert_eq!(for_host("not toml", "b"), None);
    }
}
