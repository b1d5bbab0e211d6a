//! One dataset: what it is, whether it is ours, and making it.

use super::command::{zfs, zfs_with_key};
use super::error::Error;
use super::listing::{Properties, mounted_at};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::zfs::Filesystem;
use crate::host::signals::Stop;
use crate::keys::{KeyFormat, Keys};
use std::fs;
use std::path::{Path, PathBuf};

/// Whose dataset it is.
pub const OWNER: &str = "planb:fileset";

const ASKED: &str = "type,mountpoint,readonly,planb:fileset,encryptionroot,keystatus,keyformat,written";

/// What a dataset gets unless something above it says otherwise: what suits many files with attributes that are read by
/// few. `xattr=sa` and `dnodesize=auto` keep the attributes in which rsync writes owners and ACLs beside the inode.
const DEFAULTS: [(&str, &str); 5] =
    [("compression", "lz4"), ("atime", "off"), ("xattr", "sa"), ("acltype", "posix"), ("dnodesize", "auto")];

/// Whatever something above it says. Boot does not mount it, runs do; and what came from a source is kept here, not used.
const FIXED: [(&str, &str); 4] =
    [("canmount", "noauto"), ("exec", "off"), ("setuid", "off"), ("devices", "off")];

/// A dataset that is there and belongs to the fileset.
#[derive(Debug)]
pub struct Dataset {
    /// As zfs calls it.
    pub name: String,
    /// Where it is mounted, or belongs.
    pub path: PathBuf,
    /// Present where it has a key of its own.
    pub key: Option<KeyFormat>,
    pub is_locked: bool,
    pub is_mounted: bool,
    /// Bytes written since the newest snapshot, or ever.
    pub written: u64,
}

/// A dataset by its name.
pub fn name(parent: &Filesystem, dataset: &DatasetName) -> String {
    format!("{parent}/{dataset}")
}

/// Finds the dataset, and makes it where it is missing. One that exists and belongs to nobody is taken over as it is.
pub fn find_or_create(
    parent: &Filesystem,
    dataset: &DatasetName,
    path: &Path,
    fileset: &Name,
    keys: Option<&Keys>,
    stop: &Stop,
) -> Result<Dataset, Error> {
    let name = name(parent, dataset);
    let properties = match properties(&name)? {
        Some(properties) => properties,
        None => {
            create(parent, &name, path, fileset, keys, stop)?;
            properties(&name)?
                .ok_or_else(|| Error::NotUnderstood { said: format!("{name} was made and is not there") })?
        }
    };
    let found = judge(name, path.join(dataset), fileset, keys.is_some(), &properties)?;
    if properties.own(OWNER).is_none() {
        log::info!("{fileset}: takes over {} as it is", found.name);
        zfs(&["set", &format!("{OWNER}={fileset}"), &found.name])?;
    }
    Ok(found)
}

/// The properties that decide; `None` where there is no such dataset.
pub fn properties(name: &str) -> Result<Option<Properties>, Error> {
    match zfs(&["get", "-Hp", "-o", "property,value,source", ASKED, name]) {
        Ok(text) => Ok(Some(Properties::read(&text))),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it may be written to by this fileset, as it is.
fn judge(
    filesystem: String,
    wanted: PathBuf,
    fileset: &Name,
    encrypted: bool,
    properties: &Properties,
) -> Result<Dataset, Error> {
    let kind = properties.value("type")?;
    if kind != "filesystem" {
        return Err(Error::NotAFilesystem { filesystem, kind: kind.to_owned() });
    }
    match properties.own(OWNER) {
        Some(owner) if owner != fileset.as_str() => {
            return Err(Error::BelongsToAnother {
                filesystem,
                owner: owner.to_owned(),
                fileset: fileset.clone(),
            });
        }
        _ => {}
    }
    let mountpoint = properties.get("mountpoint")?;
    if Path::new(&mountpoint.value) != wanted {
        let (mountpoint, source_of_it) = (mountpoint.value.clone(), mountpoint.source.clone());
        return Err(Error::ForeignMountPoint { filesystem, mountpoint, source_of_it, wanted });
    }
    let readonly = properties.get("readonly")?;
    if readonly.value == "on" {
        let remedy = match readonly.source.as_str() {
            "local" | "received" => format!("zfs set readonly=off {filesystem}"),
            "-" | "temporary" | "default" => {
                "its pool was imported read-only: export it and import it again".to_owned()
            }
            source => format!("zfs set readonly=off, {source}"),
        };
        return Err(Error::ReadOnly { filesystem, remedy });
    }
    let root = properties.value("encryptionroot")?.to_owned();
    let has_key = root == filesystem;
    match (encrypted, root.as_str()) {
        (true, "-") => return Err(Error::Plain { filesystem }),
        (true, _) if !has_key => return Err(Error::InheritedKey { filesystem, root }),
        (false, _) if has_key => return Err(Error::Encrypted { filesystem }),
        _ => {}
    }
    let is_locked = properties.value("keystatus")? == "unavailable";
    if is_locked && !has_key {
        return Err(Error::ParentLocked { root });
    }
    let key = match (has_key, properties.value("keyformat")?) {
        (false, _) => None,
        (true, "raw") => Some(KeyFormat::Raw),
        (true, "hex") => Some(KeyFormat::Hex),
        (true, format) => return Err(Error::KeyFormat { filesystem, format: format.to_owned() }),
    };
    let is_mounted = match mount_point(&filesystem)? {
        None => false,
        Some(at) if Path::new(&at) == wanted => true,
        Some(mountpoint) => return Err(Error::MountedElsewhere { filesystem, mountpoint, wanted }),
    };
    let written = properties.value("written")?.parse().unwrap_or(0);
    Ok(Dataset { name: filesystem, path: wanted, key, is_locked, is_mounted, written })
}

/// Where a file system is mounted now.
pub fn mount_point(filesystem: &str) -> Result<Option<String>, Error> {
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(Error::Listen)?;
    Ok(mounted_at(&mounts, filesystem))
}

/// Makes the dataset, and what is missing above it below the pool. The key is safely kept before there is anything that
/// only it opens.
fn create(
    parent: &Filesystem,
    name: &str,
    path: &Path,
    fileset: &Name,
    keys: Option<&Keys>,
    stop: &Stop,
) -> Result<(), Error> {
    create_parents(parent, path)?;
    let names: Vec<&str> = DEFAULTS.iter().map(|(name, _)| *name).collect();
    let above = Properties::read(&zfs(&[
        "get",
        "-Hp",
        "-o",
        "property,value,source",
        &names.join(","),
        parent.as_str(),
    ])?);
    let mut arguments = vec!["create".to_owned(), "-u".to_owned()];
    let mut set = |name: &str, value: &str| arguments.extend(["-o".to_owned(), format!("{name}={value}")]);
    for (name, value) in above.unset(&DEFAULTS).into_iter().chain(FIXED) {
        set(name, value);
    }
    set(OWNER, fileset.as_str());
    let Some(keys) = keys else {
        arguments.push(name.to_owned());
        return zfs(&words(&arguments)).map(drop);
    };
    for (name, value) in [("encryption", "aes-256-gcm"), ("keyformat", "raw"), ("keylocation", "prompt")] {
        set(name, value);
    }
    arguments.push(name.to_owned());
    // One that is there already is of an attempt that ended before its dataset was made, or was put there for it.
    let key = match keys.find(stop)? {
        Some(key) => key,
        None => keys.create(stop)?,
    };
    zfs_with_key(&words(&arguments), key.raw()).map(drop)
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// File systems that hold datasets and no files: they are not mounted, and give their mount point down.
fn create_parents(parent: &Filesystem, path: &Path) -> Result<(), Error> {
    let whole = parent.as_str();
    let ends = whole.match_indices('/').map(|(at, _)| at).chain([whole.len()]);
    for end in ends.skip(1) {
        let name = &whole[..end];
        let mut arguments = vec!["create", "-u", "-o", "canmount=off"];
        let mountpoint = format!("mountpoint={}", path.display());
        if name == whole {
            arguments.extend(["-o", &mountpoint]);
        }
        match zfs(&["list", "-H", "-o", "name", name]) {
            Ok(_) => {}
            Err(error) if error.is_missing() => drop(zfs(&[&arguments[..], &[name]].concat())?),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(changes: &[(&str, &str, &str)], encrypted: bool) -> Result<Dataset, Error> {
        let mut rows = vec![
            ("type", "filesystem", "-"),
            ("mountpoint", "/tank/B/web1", "inherited from tank"),
            ("readonly", "off", "default"),
            (OWNER, "-", "-"),
            ("encryptionroot", "-", "-"),
            ("keystatus", "-", "-"),
            ("keyformat", "none", "default"),
            ("written", "4096", "-"),
        ];
        for &(name, value, source) in changes {
            rows.retain(|row| row.0 != name);
            rows.push((name, value, source));
        }
        let text: String =
            rows.iter().map(|(name, value, source)| format!("{name}\t{value}\t{source}\n")).collect();
        let fileset = "web1".parse().expect("a name");
        judge("tank/B/web1".into(), "/tank/B/web1".into(), &fileset, encrypted, &Properties::read(&text))
    }

    #[test]
    fn what_may_not_be_written_to_is_refused_with_what_to_do() {
        let refused = |changes: &[(&str, &str, &str)], encrypted: bool| {
            judged(changes, encrypted).expect_err("refused").to_string()
        };
        let own = [
            ("encryptionroot", "tank/B/web1", "-"),
            ("keystatus", "available", "-"),
            ("keyformat", "raw", "-"),
        ];
        for (changes, encrypted, hint) in [
            (&[("type", "volume", "-")][..], false, "is a volume"),
            (&[(OWNER, "db1", "local")], false, "zfs set planb:fileset=web1 tank/B/web1"),
            (&[("mountpoint", "/", "received")], false, "zfs inherit mountpoint tank/B/web1"),
            (&[("mountpoint", "legacy", "local")], false, "belongs at /tank/B/web1"),
            (&[("readonly", "on", "local")], false, "zfs set readonly=off tank/B/web1"),
            (&[("readonly", "on", "temporary")], false, "imported read-only"),
            (&[], true, "is not encrypted"),
            (
                &[("encryptionroot", "tank", "-"), ("keystatus", "available", "-")],
                true,
                "has the key of tank",
            ),
            (
                &[("encryptionroot", "tank", "-"), ("keystatus", "unavailable", "-")],
                false,
                "zfs load-key tank",
            ),
            (&own, false, "write encryption = true"),
            (&[own[0], own[1], ("keyformat", "passphrase", "-")], true, "change-key"),
        ] {
            let said = refused(changes, encrypted);
            assert!(said.contains(hint), "{changes:?}: {said}");
        }
    }

    #[test]
    fn what_is_ours_or_nobodys_is_taken() {
        assert!(judged(&[], false).is_ok_and(|found| found.key.is_none() && found.written == 4096));
        assert!(judged(&[(OWNER, "web1", "local")], false).is_ok());
        // What a parent says of itself is not said of its children.
        assert!(judged(&[(OWNER, "db1", "inherited from tank")], false).is_ok());
        let hex = [
            ("encryptionroot", "tank/B/web1", "-"),
            ("keystatus", "unavailable", "-"),
            ("keyformat", "hex", "-"),
        ];
        assert!(judged(&hex, true).is_ok_and(|found| found.key == Some(KeyFormat::Hex) && found.is_locked));
    }
}
