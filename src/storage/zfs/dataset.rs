//! One dataset: what it is, whether it is ours, and making it.

use super::command::{zfs, zfs_with_key};
use super::error::{Error, READ_ONLY_POOL};
use super::listing::Properties;
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::zfs::Filesystem;
use crate::host::signals::Stop;
use crate::keys::{KeyFormat, Keys};
use std::path::{Path, PathBuf};

/// Whose dataset it is.
pub const OWNER: &str = "planb:fileset";

const ASKED: &str = "type,mountpoint,canmount,readonly,compression,encryptionroot,keystatus,keyformat,written,guid,planb:fileset";

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
    /// Its key, whosever it is, is not loaded.
    pub is_locked: bool,
    pub is_nobodys: bool,
    /// What is all zeros takes no room in it.
    pub makes_holes: bool,
    /// Bytes written since the newest snapshot, or ever.
    pub written: u64,
}

/// The dataset, if it is there and the fileset's, or nobody's.
pub fn find(name: &str, path: &Path, fileset: &Name, keys: Option<&Keys>) -> Result<Option<Dataset>, Error> {
    let Some(properties) = properties(name)? else { return Ok(None) };
    judge(name.to_owned(), path.to_owned(), fileset, keys.is_some(), &properties).map(Some)
}

/// One that exists and belongs to nobody is taken over as it is.
pub fn take_over(dataset: &Dataset, fileset: &Name) -> Result<(), Error> {
    if !dataset.is_nobodys {
        return Ok(());
    }
    log::info!("{fileset}: takes over {} as it is", dataset.name);
    zfs(&["set", &format!("{OWNER}={fileset}"), &dataset.name]).map(drop)
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
    if properties.value("canmount")? == "off" {
        return Err(Error::CannotMount { filesystem });
    }
    let readonly = properties.get("readonly")?;
    if readonly.value == "on" {
        let remedy = match readonly.source.as_str() {
            "local" | "received" => format!("zfs set readonly=off {filesystem}"),
            "-" | "temporary" | "default" => READ_ONLY_POOL.to_owned(),
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
    let is_nobodys = properties.own(OWNER).is_none();
    let makes_holes = properties.value("compression")? != "off";
    let written = properties.value("written")?.parse().unwrap_or(0);
    Ok(Dataset { name: filesystem, path: wanted, key, is_locked, is_nobodys, makes_holes, written })
}

/// Makes the dataset, and what is missing above it below the pool. The key is safely kept before there is anything that
/// only it opens, and is loaded afterwards.
pub fn create(
    parent: &Filesystem,
    dataset: &DatasetName,
    path: &Path,
    fileset: &Name,
    keys: Option<&Keys>,
    stop: &Stop,
) -> Result<(), Error> {
    create_parents(parent, path)?;
    let names = DEFAULTS.map(|(name, _)| name).join(",");
    let asked = format!("mountpoint,{names}");
    let above = zfs(&["get", "-Hp", "-o", "property,value,source", &asked, parent.as_str()])?;
    let above = Properties::read(&above);
    let mut arguments = vec!["create".to_owned(), "-u".to_owned()];
    let mut set = |name: &str, value: &str| arguments.extend(["-o".to_owned(), format!("{name}={value}")]);
    for (name, value) in above.unset(&DEFAULTS).into_iter().chain(FIXED) {
        set(name, value);
    }
    if Path::new(above.value("mountpoint")?) != path {
        set("mountpoint", &path.join(dataset).to_string_lossy());
    }
    set(OWNER, fileset.as_str());
    let key = match keys {
        None => None,
        Some(keys) => {
            for (name, value) in
                [("encryption", "aes-256-gcm"), ("keyformat", "raw"), ("keylocation", "prompt")]
            {
                set(name, value);
            }
            // One that is there already is of an attempt that ended before its dataset was made, or was put there for it.
            Some(match keys.find(stop)? {
                Some(key) => key,
                None => keys.create(stop)?,
            })
        }
    };
    arguments.push(parent.child(dataset));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match key {
        None => zfs(&arguments),
        Some(key) => zfs_with_key(&arguments, key.raw()),
    }
    .map(drop)
}

/// File systems that hold datasets and no files: they are not mounted, and give their mount point down.
fn create_parents(parent: &Filesystem, path: &Path) -> Result<(), Error> {
    let mountpoint = format!("mountpoint={}", path.display());
    for name in parent.with_ancestors().skip(1) {
        match zfs(&["list", "-H", "-o", "name", name]) {
            Err(error) if error.is_missing() => {}
            there => {
                there?;
                continue;
            }
        }
        let mut arguments = vec!["create", "-u", "-o", "canmount=off"];
        if name == parent.as_str() {
            arguments.extend(["-o", &mountpoint]);
        }
        arguments.push(name);
        match zfs(&arguments) {
            // Another first run made it meanwhile, just so.
            Err(Error::Failed { said, .. }) if said.contains("dataset already exists") => {}
            made => drop(made?),
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
            ("canmount", "noauto", "local"),
            ("readonly", "off", "default"),
            ("compression", "lz4", "local"),
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
        let rows: Vec<String> =
            rows.iter().map(|(name, value, source)| format!("{name}\t{value}\t{source}")).collect();
        let text = rows.join("\n");
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
            (&[("mountpoint", "/", "received")], false, "zfs set mountpoint=/tank/B/web1 tank/B/web1"),
            (&[("mountpoint", "legacy", "local")], false, "belongs at /tank/B/web1"),
            (&[("canmount", "off", "local")], false, "zfs set canmount=noauto tank/B/web1"),
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
        let plain = judged(&[], false).expect("taken");
        assert!(plain.key.is_none() && plain.is_nobodys && plain.makes_holes && plain.written == 4096);
        assert!(judged(&[(OWNER, "web1", "local")], false).is_ok_and(|found| !found.is_nobodys));
        assert!(judged(&[("compression", "off", "default")], false).is_ok_and(|found| !found.makes_holes));
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
