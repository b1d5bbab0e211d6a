//! Whether what was received is what was asked for, and nothing beside it: asked of zfs, not concluded.

use super::Replica;
use super::list::Below;
use crate::fileset::replica::{Child, Kind};
use crate::storage::zfs::command::zfs;
use crate::storage::zfs::error::Error;
use crate::storage::{Error as StorageError, Frozen};
use std::collections::{HashMap, HashSet};

/// What must be so of each kind, whoever set it.
const FILESYSTEM: [(&str, &str); 4] =
    [("setuid", "off"), ("exec", "off"), ("devices", "off"), ("readonly", "on")];
const VOLUME: [(&str, &str); 2] = [("volmode", "none"), ("readonly", "on")];

const ASKED: &str = "type,mountpoint,canmount,setuid,exec,devices,readonly,volmode,keylocation";

/// What a child's snapshot of a run must be.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub child: &'a Child,
    /// The GUID that it has at the source.
    pub guid: u64,
    /// That of an earlier one which the source says it is the same as: it may be a repeat of that.
    pub same: Option<u64>,
}

impl Claim<'_> {
    /// What came for the snapshot of that name, if it is what it must be.
    fn kept<'b>(&self, below: &'b Below, name: &str) -> Option<&'b Frozen> {
        let copied = below.children.iter().find(|copied| copied.child == *self.child)?;
        let came = copied.came(name)?;
        let wanted = if came.name == name { Some(self.guid) } else { self.same };
        (Some(came.guid) == wanted).then_some(came)
    }
}

impl Replica {
    /// Makes sure that each of these has its snapshot, by the GUID that it has at the source, or a repeat of what is the same
    /// there, and that none has a property that came with a stream, or one that lets it do anything here. What came for each
    /// is what the next stream builds on.
    pub fn verify<'b>(
        &self,
        below: &'b Below,
        claims: &[Claim<'_>],
        name: &str,
    ) -> Result<Vec<&'b Frozen>, StorageError> {
        let kept = |claim: &Claim<'_>| {
            let missing = || Error::NotReceived { snapshot: format!("{}@{name}", self.full(claim.child)) };
            claim.kept(below, name).ok_or_else(missing)
        };
        let bases: Vec<&Frozen> = claims.iter().map(kept).collect::<Result<_, _>>()?;
        let wanted: HashSet<String> = claims.iter().map(|claim| self.full(claim.child)).collect();
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
        Ok(bases)
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
    use crate::storage::Copied;

    #[test]
    fn a_repeat_counts_only_of_what_is_the_same_at_the_source() {
        let child: Child = "data".parse().expect("a name");
        let frozen = |name: &str, guid, is_repeat| Frozen {
            name: name.into(),
            guid,
            createtxg: guid,
            is_held: false,
            is_repeat,
        };
        let copied = Copied {
            child: child.clone(),
            kind: Kind::Filesystem,
            is_raw: false,
            origin: None,
            partial: None,
            snapshots: vec![frozen("a", 1, false), frozen("b", 2, true), frozen("c", 3, true)],
        };
        let below = Below { children: vec![copied], own: Vec::new() };
        let kept = |name: &str, guid, same| {
            Claim { child: &child, guid, same }.kept(&below, name).map(|frozen| frozen.name.as_str())
        };
        assert_eq!(kept("a", 1, None), Some("a"));
        assert_eq!(kept("c", 9, Some(1)), Some("a"));
        assert_eq!(kept("c", 9, None), None);
        // Its own GUID says nothing, and neither does the word of the source where it is of another.
        assert_eq!((kept("c", 3, None), kept("c", 9, Some(2)), kept("a", 9, Some(1))), (None, None, None));
        assert_eq!(kept("d", 1, Some(1)), None);
    }

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
