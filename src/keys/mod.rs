//! The keys of encrypted datasets: fetched when a dataset is opened, kept in memory for no longer than that takes, and
//! made only together with a dataset. Nothing here knows what they open.
//!
//! A key that is kept is never written over. While it is rotated there are two of them, and whoever opens the dataset
//! tries which one it has: see [`Keys::candidates`] and [`Keys::settle`].

mod command;
mod credential;
mod error;
pub mod exported;
mod files;
mod key;
mod rename;
pub mod sheet;
#[cfg(test)]
mod tests;

pub use command::ask_here;
pub use error::Error;
pub use files::Slot;
pub use key::LONGEST;
pub use key::{Fingerprint, Key, KeyFormat};

use crate::fileset::key::{KeySource, Question};
use crate::fileset::name::Name;
use crate::host::paths::Paths;
use crate::host::secret::{self, Secret};
use crate::host::signals::Stop;
use files::Files;
use nix::unistd::Uid;
use std::fs;
use std::path::{Path, PathBuf};

/// The key of one fileset, not yet fetched.
#[derive(Debug, Clone)]
pub struct Keys {
    paths: Paths,
    fileset: Name,
    source: KeySource,
}

/// One of the keys that may be the dataset's.
#[derive(Debug)]
pub struct Candidate {
    pub slot: Slot,
    pub key: Key,
}

impl Keys {
    pub fn new(paths: &Paths, fileset: &Name, source: &KeySource) -> Self {
        Self { paths: paths.clone(), fileset: fileset.clone(), source: source.clone() }
    }

    /// The key; `None` where there is none yet.
    pub fn find(&self, stop: &Stop) -> Result<Option<Key>, Error> {
        Ok(self.candidates(stop)?.into_iter().next().map(|candidate| candidate.key))
    }

    /// All there are, the most likely one first; none where there is none yet. More than one only while a rotation is not
    /// over: then the dataset has one of them, and it has to be tried which.
    pub fn candidates(&self, stop: &Stop) -> Result<Vec<Candidate>, Error> {
        secret::forbid_dumps()?;
        let files = match self.files() {
            Ok(files) => files,
            Err(question) => {
                let key = command::ask(&self.paths, question, stop)?;
                return Ok(key.map(|key| Candidate { slot: Slot::Current, key }).into_iter().collect());
            }
        };
        let (mut candidates, mut trouble) = (Vec::new(), None);
        for slot in files.present()? {
            match self.read(files.path(slot), stop) {
                Ok(Some(key)) => candidates.push(Candidate { slot, key }),
                Ok(None) => {}
                Err(Error::Stopped) => return Err(Error::Stopped),
                Err(error) => drop(trouble.get_or_insert(error)),
            }
        }
        match trouble {
            // One that cannot be read may be the one; another may be as well, and trying it harms nothing.
            Some(error) if candidates.is_empty() => Err(error),
            _ => Ok(candidates),
        }
    }

    /// A new key, safely kept before this returns. Refused where there is one.
    ///
    /// A command gives the key it has instead, and has to have one.
    pub fn create(&self, stop: &Stop) -> Result<Key, Error> {
        secret::forbid_dumps()?;
        let files = match self.files() {
            Ok(files) => files,
            Err(question) => {
                let (program, fileset) = (question.command.program().to_owned(), self.fileset.clone());
                return command::ask(&self.paths, question, stop)?.ok_or(Error::Unknown { program, fileset });
            }
        };
        if let Some(slot) = files.present()?.first() {
            return Err(Error::Exists { place: self.place_of(*slot) });
        }
        let key = Key::random().map_err(|source| Error::Random { source })?;
        self.keep(&key, &files, Slot::Current, stop)?;
        Ok(key)
    }

    /// Keeps a key that came from elsewhere as the one there is, where there is none.
    pub fn adopt(&self, key: &Key, stop: &Stop) -> Result<(), Error> {
        secret::forbid_dumps()?;
        let files = self.own_files("put this key")?;
        match files.present()?.first() {
            Some(slot) => Err(Error::Exists { place: self.place_of(*slot) }),
            None => self.keep(key, &files, Slot::Current, stop),
        }
    }

    /// Keeps a key that is known to be the right one, and what was taken for it as the previous one.
    pub fn replace(&self, key: &Key, stop: &Stop) -> Result<(), Error> {
        secret::forbid_dumps()?;
        let files = self.own_files("put this key")?;
        files.replace(&self.written(key, &files.current, stop)?)
    }

    /// The key that a rotation changes to: a new one, kept already, or the one that a rotation which never came to its
    /// end has left. It may be the dataset's by now.
    pub fn pending(&self, stop: &Stop) -> Result<Key, Error> {
        secret::forbid_dumps()?;
        let files = self.own_files("change the key")?;
        if let Some(key) = self.read(&files.pending, stop)? {
            return Ok(key);
        }
        let key = Key::random().map_err(|source| Error::Random { source })?;
        self.keep(&key, &files, Slot::Pending, stop)?;
        Ok(key)
    }

    /// Says which of the candidates has just opened the dataset.
    ///
    /// A pending one becomes the current one, and what it took the place of is kept. A current one has proven itself: what
    /// it took the place of can go. What is pending beside it stays, since a rotation that was killed may have left a
    /// program that is changing to it this moment; the next rotation goes on with it.
    pub fn settle(&self, opened: Slot) -> Result<(), Error> {
        let Ok(files) = self.files() else { return Ok(()) };
        match opened {
            Slot::Current => files::remove(&files.previous),
            Slot::Pending => {
                files.promote()?;
                // What is on the sheet is another key now.
                exported::forget(&self.paths, &self.fileset);
                Ok(())
            }
            Slot::Previous => {
                log::warn!(
                    "{}: its dataset has the key of before the last rotation, as if it had gone back in time; that key is \
                     kept: {}",
                    self.fileset,
                    self.place_of(opened)
                );
                Ok(())
            }
        }
    }

    /// Which keys there are, without a look into them. Nothing where a command has them.
    pub fn present(&self) -> Result<Vec<Slot>, Error> {
        self.files().map_or_else(|_| Ok(Vec::new()), |files| files.present())
    }

    /// Whether there is a key where it is looked for, without a look into it. `None` where only asking would tell: a command
    /// has it.
    pub fn is_there(&self) -> Result<Option<bool>, Error> {
        let Ok(files) = self.files() else { return Ok(None) };
        for slot in Slot::ALL {
            let path = files.path(slot);
            match fs::metadata(path) {
                // One that was being written when the power went.
                Ok(found) if found.is_file() && found.len() == 0 => {}
                Ok(_) => return Ok(Some(true)),
                Err(error) if files::is_absent(&error) => {}
                Err(error) => return Err(Error::io("look for", path)(error)),
            }
        }
        Ok(Some(false))
    }

    /// All files that they may be in.
    pub fn paths(&self) -> Vec<PathBuf> {
        let files = self.files().ok();
        files.into_iter().flat_map(|files| Slot::ALL.map(|slot| files.path(slot).to_owned())).collect()
    }

    /// Whether this machine is where they are kept, so that they are lost with it.
    pub fn are_kept_here(&self) -> bool {
        self.files().is_ok()
    }

    /// Whose key a credential of this name is; `None` if it is no key.
    pub fn fileset_of_credential(name: &str) -> Option<Name> {
        credential::PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)?.parse().ok())
    }

    /// Where the key is looked for, for people: what has to be restored when it is missing.
    pub fn place(&self) -> String {
        self.place_of(Slot::Current)
    }

    /// The same for one of its files.
    pub fn place_of(&self, slot: Slot) -> String {
        match self.files() {
            Ok(files) => {
                let kind = if self.is_encrypted() { "credential" } else { "file" };
                format!("the {kind} {}", files.path(slot).display())
            }
            Err(question) => format!("the command {}", question.command.program()),
        }
    }

    /// The files that hold them, or that a command does.
    fn files(&self) -> Result<Files, &Question> {
        match &self.source {
            KeySource::Credential => Ok(credential::files(&self.paths, &self.fileset)),
            KeySource::File(path) => Ok(Files::beside(path)),
            KeySource::Command(question) => Err(question),
        }
    }

    /// The files, for what a command cannot do.
    fn own_files(&self, what: &'static str) -> Result<Files, Error> {
        self.files().map_err(|question| Error::NotOurs { program: question.command.program().into(), what })
    }

    fn is_encrypted(&self) -> bool {
        self.source == KeySource::Credential
    }

    fn read(&self, path: &Path, stop: &Stop) -> Result<Option<Key>, Error> {
        if self.is_encrypted() {
            return credential::read(&self.paths, &self.fileset, path, stop);
        }
        let user = self.paths.is_rooted().then(Uid::effective);
        let Some(file) = files::open_private(path, user)? else { return Ok(None) };
        let read = Secret::read(file, LONGEST).map_err(Error::io("read", path))?;
        Key::of(read.as_ref()).map(Some).map_err(|why| {
            let place = format!("the file {}", path.display());
            Error::Spoilt { place, why, fileset: self.fileset.clone() }
        })
    }

    /// What a file has to hold for this key.
    fn written(&self, key: &Key, path: &Path, stop: &Stop) -> Result<Secret, Error> {
        if self.is_encrypted() {
            credential::encrypt(&self.paths, &self.fileset, path, key, stop)
        } else {
            Ok(key.raw())
        }
    }

    fn keep(&self, key: &Key, files: &Files, slot: Slot, stop: &Stop) -> Result<(), Error> {
        let path = files.path(slot);
        if files::create(path, &self.written(key, path, stop)?)? {
            return Ok(());
        }
        Err(Error::Exists { place: self.place_of(slot) })
    }
}
