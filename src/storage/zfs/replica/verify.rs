//! Whether what was received is what was asked for, and nothing beside it: asked of zfs, not concluded.

use super::Replica;
use super::list::Below;
use crate::fileset::replica::{Child, Kind};
use crate::storage::Error as StorageError;
use crate::storage::zfs::command::zfs;
use crate::storage::zfs::error::Error;
use std::collections::{HashMap, HashSet};

/// What must be so of each kind, whoever set it.
const FILESYSTEM: [(&str, &str); 4] =
    [("setuid", "off"), ("exec", "off"), ("devices", "off"), ("readonly", "on")];
const VOLUME: [(&str, &str); 2] = [("volmode", "none"), ("readonly", "on")];

const ASKED: &str = "type,mountpoint,canmount,setuid,exec,devices,readonly,volmode,keylocation";

impl Replica {
    /// Makes sure that each of these has its snapshot, by the GUID that it has at the source, and that none has a property
    /// that came with a stream, or one that lets it do anything here.
    pub fn verify(&self, below: &Below, wanted: &[(&Child, u64)], name: &str) -> Result<(), StorageError> {
        for (child, guid) in wanted {
            let copied = below.children.iter().find(|copied| copied.child == **child);
            let found = copied.and_then(|copied| copied.snapshots.iter().find(|frozen| frozen.name == name));
            if found.is_none_or(|found| found.guid != *guid) {
                return Err(Error::NotReceived { snapshot: format!("{}@{name}", self.full(child)) }.into());
            }
        }
        let wanted: HashSet<String> = wanted.iter().map(|(child, _)| self.full(child)).collect();
        let types = ["get", "-Hrp", "-t", "filesystem,volume"];
        let received =
            [&types[..], &["-s", "received", "-o", "name,property", "all", &self.container]].concat();
        // The container's own properties are the administrator's.
        let below_it = format!("{}/", self.container);
        let text = zfs(&received)?;
        if let Some(&[child, property]) =
            rows(&text).find(|row| row[0].starts_with(&below_it)).as_deref().and_then(|row| row.get(..2))
        {
            let (child, property) = (child.to_owned(), property.to_owned());
            return Err(Error::PropertyReceived { child, property }.into());
        }
        let effective = [&types[..], &["-o", "name,property,value", ASKED, &self.container]].concat();
        let text = zfs(&effective)?;
        let mut all: HashMap<&str, HashMap<&str, &str>> = HashMap::new();
        for row in rows(&text) {
            if let &[name, property, value] = row.as_slice()
                && wanted.contains(name)
            {
                all.entry(name).or_default().insert(property, value);
            }
        }
        for child in &wanted {
            let properties = all
                .get(child.as_str())
                .ok_or_else(|| Error::NotUnderstood { said: format!("nothing of {child}") })?;
            if let Some((property, wanted)) = wrong(properties, &self.path().to_string_lossy()) {
                return Err(Error::Unsafe { child: child.clone(), property, wanted }.into());
            }
        }
        Ok(())
    }
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split('\t').collect())
}

/// The first property that is not as it must be, and what it must be.
fn wrong(properties: &HashMap<&str, &str>, path: &str) -> Option<(String, String)> {
    let value = |name: &str| properties.get(name).copied().unwrap_or("-");
    let kind = if value("type") == "volume" { Kind::Volume } else { Kind::Filesystem };
    let must: &[(&str, &str)] = match kind {
        Kind::Filesystem => &FILESYSTEM,
        Kind::Volume => &VOLUME,
    };
    if let Some((name, wanted)) = must.iter().find(|(name, wanted)| value(name) != *wanted) {
        return Some(((*name).to_owned(), (*wanted).to_owned()));
    }
    if !matches!(value("keylocation"), "none" | "prompt" | "-") {
        return Some(("keylocation".into(), "prompt".into()));
    }
    if kind == Kind::Filesystem {
        let mountpoint = value("mountpoint");
        let inside = mountpoint.strip_prefix(path).is_some_and(|below| below.starts_with('/'));
        if !inside && !matches!(mountpoint, "none" | "legacy") {
            return Some(("mountpoint".into(), "none".into()));
        }
        if value("canmount") == "on" {
            return Some(("canmount".into(), "noauto".into()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_do_something_here_is_seen() {
        let filesystem = [
            ("type", "filesystem"),
            ("mountpoint", "/tank/B/web1/data"),
            ("canmount", "noauto"),
            ("setuid", "off"),
            ("exec", "off"),
            ("devices", "off"),
            ("readonly", "on"),
            ("volmode", "-"),
            ("keylocation", "none"),
        ];
        let found = |name: &str, value: &'static str| {
            let mut properties: HashMap<&str, &str> = filesystem.into_iter().collect();
            properties.insert(name, value);
            wrong(&properties, "/tank/B/web1").map(|(property, _)| property)
        };
        assert_eq!(found("type", "filesystem"), None);
        assert_eq!(found("mountpoint", "legacy"), None);
        for (name, value) in [
            ("mountpoint", "/"),
            ("mountpoint", "/tank/B/web10/data"),
            ("canmount", "on"),
            ("setuid", "on"),
            ("exec", "on"),
            ("devices", "on"),
            ("readonly", "off"),
            ("keylocation", "file:///etc/shadow"),
        ] {
            assert_eq!(found(name, value).as_deref(), Some(name));
        }
        let volume: HashMap<&str, &str> =
            [("type", "volume"), ("readonly", "on"), ("volmode", "default"), ("keylocation", "none")].into();
        assert_eq!(wrong(&volume, "/x"), Some(("volmode".into(), "none".into())));
    }
}
