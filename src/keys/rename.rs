//! The keys of a fileset that gets another name.

use super::files::{self, Slot};
use super::{Error, Keys, command, exported};
use crate::host::secret;
use crate::host::signals::Stop;

impl Keys {
    /// Whether all keys there are could be `to`'s: nothing of its own is in the way, and what a command has it has
    /// under both names. Changes nothing.
    pub fn may_become(&self, to: &Self, stop: &Stop) -> Result<(), Error> {
        secret::forbid_dumps()?;
        let (from, files) = match (self.files(), to.files()) {
            (Ok(from), Ok(files)) => (from, files),
            (_, Err(question)) => {
                let new = command::ask(&to.paths, question, stop)?;
                return match (self.find(stop)?, new) {
                    (Some(old), Some(new)) if old.fingerprint() != new.fingerprint() => {
                        Err(Error::Differs { place: to.place() })
                    }
                    (Some(_), None) => {
                        let program = question.command.program().to_owned();
                        Err(Error::Unknown { program, fileset: to.fileset.clone() })
                    }
                    _ => Ok(()),
                };
            }
            (Err(_), Ok(_)) => return to.own_files("put this key").map(drop),
        };
        match files.present()?.first() {
            Some(slot) if from != files => Err(Error::Exists { place: to.place_of(*slot) }),
            _ => Ok(()),
        }
    }

    /// Gives them to `to`: each is kept under the new name, and read back, before it is gone under the old one. A key is
    /// never written over. One that was interrupted is gone on with.
    pub fn become_those_of(&self, to: &Self, stop: &Stop) -> Result<(), Error> {
        secret::forbid_dumps()?;
        if let (Ok(from), Ok(files)) = (self.files(), to.files())
            && (from != files)
        {
            for slot in from.present()? {
                let Some(key) = self.read(from.path(slot), stop)? else { continue };
                let again = || to.read(files.path(slot), stop);
                let mut kept = again()?;
                if kept.is_none() {
                    to.keep(&key, &files, slot, stop)?;
                    kept = again()?;
                }
                if kept.is_none_or(|kept| kept.fingerprint() != key.fingerprint()) {
                    return Err(Error::Differs { place: to.place_of(slot) });
                }
            }
            for slot in Slot::ALL {
                files::remove(from.path(slot))?;
            }
        }
        if let Some(known) = exported::read(&self.paths, &self.fileset) {
            let known = exported::Exported { fileset: to.fileset.clone(), ..known };
            exported::write(&self.paths, &known).map_err(Error::io("write", self.paths.exported_keys()))?;
            exported::forget(&self.paths, &self.fileset);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fingerprint;
    use super::*;
    use crate::fileset::key::KeySource;
    use crate::host::paths::Paths;
    use std::fs::{self, DirBuilder};
    use std::os::unix::fs::DirBuilderExt;
    use tempfile::TempDir;
    use time::macros::datetime;

    /// The keys of `web1`, and of `web2` that they are to become.
    struct World {
        _root: TempDir,
        paths: Paths,
        old: Keys,
        new: Keys,
        stop: Stop,
    }

    impl World {
        /// Of each source that keeps keys, with a rotation that is not over.
        fn each() -> impl Iterator<Item = Self> {
            [true, false].into_iter().map(|encrypted| {
                let root = tempfile::tempdir().expect("a directory");
                let directory = root.path().join("keys");
                DirBuilder::new().mode(0o700).create(&directory).expect("a directory");
                let paths = Paths::new(Some(root.path().to_owned()));
                let keys = |name: &str| {
                    let source =
                        if encrypted { KeySource::Credential } else { KeySource::File(directory.join(name)) };
                    Keys::new(&paths, &name.parse().expect("a name"), &source)
                };
                let (old, new) = (keys("web1"), keys("web2"));
                let world =
                    Self { _root: root, old, new, paths: paths.clone(), stop: Stop::new().expect("a pair") };
                world.old.create(&world.stop).expect("a key");
                world.old.pending(&world.stop).expect("another");
                world
            })
        }

        fn of(&self, keys: &Keys) -> Vec<(Slot, Fingerprint)> {
            let candidates = keys.candidates(&self.stop).expect("readable");
            candidates.iter().map(|candidate| (candidate.slot, candidate.key.fingerprint())).collect()
        }
    }

    #[test]
    fn whenever_it_dies_the_keys_are_all_there_and_it_goes_on() {
        for world in World::each() {
            let keys = world.of(&world.old);
            assert_eq!(keys.len(), 2);
            let (from, files) = (world.old.files().expect("files"), world.new.files().expect("files"));
            let kept = exported::Exported {
                fileset: world.old.fileset.clone(),
                at: datetime!(2026-01-02 03:04 UTC),
                fingerprint: keys[0].1.clone(),
            };
            exported::write(&world.paths, &kept).expect("written");
            // One is kept under its new name already; and later one is gone under the old.
            let current =
                world.old.read(from.path(Slot::Current), &world.stop).expect("readable").expect("a key");
            world.new.keep(&current, &files, Slot::Current, &world.stop).expect("kept");
            world.old.become_those_of(&world.new, &world.stop).expect("renamed");
            assert_eq!((world.of(&world.new), world.of(&world.old)), (keys.clone(), vec![]));
            world.old.keep(&current, &from, Slot::Current, &world.stop).expect("kept");
            world.old.become_those_of(&world.new, &world.stop).expect("again");
            assert_eq!((world.of(&world.new), world.of(&world.old)), (keys, vec![]));
            let known = exported::read(&world.paths, &world.new.fileset).expect("it went along");
            assert_eq!((known.at, known.fingerprint), (kept.at, kept.fingerprint));
            assert_eq!(exported::read(&world.paths, &world.old.fileset), None);
        }
    }

    #[test]
    fn a_key_that_is_in_the_way_stays_and_so_does_the_one_that_was_to_come() {
        for world in World::each() {
            world.old.may_become(&world.new, &world.stop).expect("nothing is there");
            world.new.create(&world.stop).expect("another key");
            let before = (world.of(&world.old), world.of(&world.new));
            let error = world.old.may_become(&world.new, &world.stop).expect_err("in the way");
            assert!(matches!(error, Error::Exists { .. }), "{error}");
            let error = world.old.become_those_of(&world.new, &world.stop).expect_err("in the way");
            assert!(matches!(error, Error::Differs { .. }), "{error}");
            assert_eq!((world.of(&world.old), world.of(&world.new)), before);
            // One that both would have by their rules is no obstacle to itself.
            let same = Keys { fileset: world.new.fileset.clone(), ..world.old.clone() };
            if let KeySource::File(path) = &world.old.source {
                same.may_become(&world.old, &world.stop).expect("the same file");
                world.old.become_those_of(&same, &world.stop).expect("nothing to do");
                assert!(fs::metadata(path).is_ok());
            }
        }
    }

    #[test]
    fn a_command_has_to_know_the_same_key_by_both_names() {
        let directory = tempfile::tempdir().expect("a directory");
        let stop = Stop::new().expect("a pair");
        let asked = |name: &str, script: &str| {
            let command =
                ["/bin/sh", "-c", script].map(str::to_owned).to_vec().try_into().expect("a command");
            let fileset: crate::fileset::name::Name = name.parse().expect("a name");
            let dataset = name.parse().expect("a name");
            let question =
                crate::fileset::key::Question { command, fileset: fileset.clone(), group: None, dataset };
            Keys::new(&Paths::new(Some(directory.path().to_owned())), &fileset, &KeySource::Command(question))
        };
        let ones = "printf '%064d' 1";
        let each = "case $PLANB_FILESET in web1) printf '%064d' 1;; web2) printf '%064d' 2;; esac";
        let may = |script: &str, new: &str| asked("web1", script).may_become(&asked(new, script), &stop);
        may(ones, "web2").expect("the same");
        assert!(matches!(may(each, "web2"), Err(Error::Differs { .. })));
        assert!(matches!(may(each, "web3"), Err(Error::Unknown { .. })));
    }
}
