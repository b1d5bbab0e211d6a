//! A backup of this machine that contains its own storage would copy every earlier copy, for ever.

use crate::fileset::name::DatasetName;
use crate::storage;
use crate::transport::rsync::settings::{Settings, Source};
use crate::transport::rsync::words::Pattern;
use std::path::{Component, Path};

/// What is wrong, if a local source takes its own dataset in.
///
/// All of the storage has to stay out then: two filesets that copy each other's datasets grow without end as well. An
/// exclude must say so plainly; patterns with wildcards are not weighed.
pub fn complaint(settings: &Settings, storage: &storage::Settings, dataset: &DatasetName) -> Option<String> {
    let Source::Local(source) = &settings.source else { return None };
    let path = storage.path();
    let below = |path: &Path| path.strip_prefix(source.as_str()).ok().map(|below| Path::new("/").join(below));
    let dataset = below(&path.join(dataset))?;
    let storage = below(path).unwrap_or_else(|| dataset.clone());
    if storage == Path::new("/") {
        return Some("the source is its own storage: a backup cannot contain itself".into());
    }
    let is_included = settings.include.iter().any(|include| takes_in(include, &dataset));
    let is_excluded = settings.exclude.iter().any(|exclude| leaves_out(exclude, &storage));
    (is_included && !is_excluded).then(|| {
        let (storage, exclude) = (path.display(), storage.display());
        format!("its own storage, {storage}, is in there: add \"{exclude}\" to `exclude`")
    })
}

/// Whether an include takes in this path with all below it, step by step. What a wildcard meets is taken whole if it is
/// a directory.
fn takes_in(include: &Pattern, path: &Path) -> bool {
    let mut names = path.iter().skip(1);
    for step in include.as_str().split('/').filter(|step| !matches!(*step, "" | ".")) {
        if step.contains("**") {
            return true;
        }
        let Some(name) = names.next().and_then(|name| name.to_str()) else { return false };
        if step != name && !matches(step.as_bytes(), name.as_bytes()) {
            return false;
        }
    }
    true
}

/// Whether a pattern of one step matches a name. A `[` is any character: taking too much for included costs a line in
/// `exclude`, taking too little a disk.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let any = |rest: &[u8]| name.split_first().is_some_and(|(_, name)| matches(rest, name));
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|at| matches(rest, &name[at..])),
        [b'?', rest @ ..] => any(rest),
        [b'[', set @ ..] => match set.iter().skip(2).position(|&byte| byte == b']') {
            Some(end) => any(&set[end + 3..]),
            None => any(set),
        },
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
            name.split_first().is_some_and(|(first, name)| first == byte && matches(rest, name))
        }
    }
}

fn leaves_out(exclude: &Pattern, path: &Path) -> bool {
    let exclude = exclude.as_str();
    if exclude.starts_with('/') {
        return path.starts_with(exclude.trim_end_matches("/***").trim_end_matches("/**"));
    }
    // Without a slash a pattern is a name at any depth.
    let name = exclude.trim_end_matches('/');
    path.components().any(|part| matches!(part, Component::Normal(part) if part == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{built_in::BuiltIn, document::Document, merged::Merged, reader, rsync, zones::Zones};
    use std::sync::Arc;

    fn complains(table: &str) -> Option<String> {
        let document = Arc::new(Document { path: "a.toml".into(), text: format!("[rsync]\n{table}") });
        let own = reader::drop_in(&document).expect("TOML");
        let built_in = BuiltIn::new();
        let mut faults = Vec::new();
        let merged = Merged::new(&own, &[], &built_in);
        let settings = rsync::judge(&merged, &Zones::default(), &mut faults).expect("a valid table");
        let storage = storage::Settings::Directory { path: "/srv/backups".into() };
        complaint(&settings, &storage, &"a".parse().expect("a name"))
    }

    #[test]
    fn a_storage_inside_of_its_source_must_be_excluded() {
        for (table, hint) in [
            ("include = ['/']", Some("add \"/srv/backups\"")),
            ("include = ['/etc', '/srv']", Some("add \"/srv/backups\"")),
            ("include = ['/srv/backups/']", Some("add \"/srv/backups\"")),
            ("source = '/srv'\ninclude = ['/']", Some("add \"/backups\"")),
            ("source = '/srv/backups'\ninclude = ['/']", Some("itself")),
            ("source = '/srv/backups/a'\ninclude = ['/']", Some("itself")),
            ("include = ['/']\nexclude = ['/srv/backups2', '*.tmp']", Some("add \"/srv/backups\"")),
            ("include = ['/*']", Some("add \"/srv/backups\"")),
            ("include = ['/srv/*']", Some("add \"/srv/backups\"")),
            ("include = ['/s?v/[a-c]ack*s']", Some("add \"/srv/backups\"")),
            ("include = ['/srv/\\backup*']", Some("add \"/srv/backups\"")),
            ("include = ['/srv/**/x']", Some("add \"/srv/backups\"")),
            ("include = ['/srv/backups/*']", Some("add \"/srv/backups\"")),
            ("include = ['/srv/backups/a']", Some("add \"/srv/backups\"")),
            ("include = ['/']\nexclude = ['/srv/backups/']", None),
            ("include = ['/srv/*']\nexclude = ['/srv/backups']", None),
            ("include = ['/srv/*.d', '/srv/backups?', '/srv/*/b', '/srv/backups/b']", None),
            ("include = ['/']\nexclude = ['/srv']", None),
            ("include = ['/']\nexclude = ['/srv/backups/**']", None),
            ("include = ['/']\nexclude = ['backups']", None),
            ("include = ['/etc', '/srv/backups2']", None),
            ("source = '/home'\ninclude = ['/']", None),
            ("host = 'web1'\ninclude = ['/']", None),
        ] {
            let said = complains(table);
            assert_eq!(said.is_some(), hint.is_some(), "{table}: {said:?}");
            assert!(said.unwrap_or_default().contains(hint.unwrap_or_default()), "{table}");
        }
    }
}
