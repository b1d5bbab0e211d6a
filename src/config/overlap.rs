//! A backup of this machine that contains its own storage would copy every earlier copy, for ever.

use crate::storage;
use crate::transport::rsync::settings::{Settings, Source};
use crate::transport::rsync::words::Pattern;
use std::path::{Component, Path};

/// What is wrong, if a local source takes its own storage in.
///
/// Patterns with wildcards are not weighed: such an include takes files, not trees, and an exclude must say plainly
/// that it keeps the storage out.
pub fn complaint(settings: &Settings, storage: &storage::Settings) -> Option<String> {
    let Source::Local(source) = &settings.source else { return None };
    let storage::Settings::Directory { path } = storage;
    let below = path.strip_prefix(source.as_str()).ok()?;
    if below.as_os_str().is_empty() {
        return Some("the source is its own storage: a backup cannot contain itself".into());
    }
    let anchored = Path::new("/").join(below);
    let is_included = settings.include.iter().any(|include| anchored.starts_with(include.as_str()));
    let is_excluded = settings.exclude.iter().any(|exclude| leaves_out(exclude, &anchored));
    (is_included && !is_excluded).then(|| {
        let (storage, exclude) = (path.display(), anchored.display());
        format!("its own storage, {storage}, is in there: add \"{exclude}\" to `exclude`")
    })
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
        complaint(&settings, &storage::Settings::Directory { path: "/srv/backups".into() })
    }

    #[test]
    fn a_storage_inside_of_its_source_must_be_excluded() {
        for (table, hint) in [
            ("include = ['/']", Some("add \"/srv/backups\"")),
            ("include = ['/etc', '/srv']", Some("add \"/srv/backups\"")),
            ("include = ['/srv/backups/']", Some("add \"/srv/backups\"")),
            ("source = '/srv'\ninclude = ['/']", Some("add \"/backups\"")),
            ("source = '/srv/backups'\ninclude = ['/']", Some("itself")),
            ("include = ['/']\nexclude = ['/srv/backups2', '*.tmp']", Some("add \"/srv/backups\"")),
            ("include = ['/']\nexclude = ['/srv/backups/']", None),
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
