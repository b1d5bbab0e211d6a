//! What every storage promises, tried on each kind, and the hands that all their tests share.

pub mod mounted;
mod stories;

use super::*;
use crate::fileset::workspace::Writes;
use crate::host::paths::Paths;
use mounted::{Mounted, tool};
use std::fs;
use std::path::Path;

pub const FIRST: &str = "planb-20260102T0304Z";
pub const SECOND: &str = "planb-20260103T0304Z";
pub const THIRD: &str = "planb-20260104T0304Z";

/// A storage in a directory of its own, and one fileset's dataset in it.
pub struct Site {
    pub storage: Storage,
    pub settings: Settings,
    /// The dataset's directory.
    pub path: PathBuf,
    mounted: Option<Mounted>,
    _kept: Option<tempfile::TempDir>,
}

impl Site {
    /// Of the kind `directory`.
    pub fn directory() -> Self {
        let kept = tempfile::tempdir().expect("a directory");
        let site = Self::at(kept.path());
        Self { _kept: Some(kept), ..site }
    }

    /// In a directory that the test keeps itself.
    pub fn at(path: &Path) -> Self {
        Self::of(Settings::Directory { path: path.to_owned() })
    }

    /// Of the kind `btrfs`, so many MiB large. `None` where nobody may mount one.
    pub fn btrfs(mib: u64) -> Option<Self> {
        let kept = tempfile::tempdir().expect("a directory");
        let path = kept.path().join("btrfs");
        let mounted = Mounted::btrfs(&kept.path().join("image"), &path, mib)?;
        let site = Self::of(Settings::Btrfs { path });
        Some(Self { mounted: Some(mounted), _kept: Some(kept), ..site })
    }

    /// Leaves what the disk has at this moment, without a word to the file system before.
    pub fn power_cut(&mut self) {
        let image = self.settings.path().with_file_name("image");
        let then = image.with_file_name("image then");
        tool("cp", ["--sparse=always".as_ref(), image.as_os_str(), then.as_os_str()]);
        drop(self.mounted.take());
        fs::rename(then, &image).expect("renamed");
        self.mounted = Some(Mounted::again(&image, self.settings.path()));
    }

    pub fn of(settings: Settings) -> Self {
        let (storage, path) = (made(&settings), settings.path().join("web1"));
        Self { storage, settings, path, mounted: None, _kept: None }
    }

    /// One of each kind that can be made here.
    pub fn each() -> impl Iterator<Item = Self> {
        let kinds: [fn() -> Option<Self>; 2] = [|| Some(Self::directory()), || Self::btrfs(256)];
        kinds.into_iter().filter_map(|make| make())
    }

    /// The same kind of storage, elsewhere.
    pub fn elsewhere(&self, path: &Path) -> Storage {
        let path = path.to_owned();
        made(&match self.settings {
            Settings::Directory { .. } => Settings::Directory { path },
            Settings::Btrfs { .. } => Settings::Btrfs { path },
            Settings::Zfs { .. } => panic!("it is elsewhere by its parent"),
        })
    }

    pub fn open(&self) -> Result<Open, Error> {
        self.storage.open(&dataset(), &fileset(), None, &stop())
    }

    /// One run: `content` in `file`.
    pub fn run(&self, snapshot: &str, content: &str) {
        let open = self.open().expect("it opens");
        fs::write(open.workspace().path().join("file"), content).expect("written");
        open.snapshot(&name(snapshot)).expect("a snapshot");
    }

    pub fn listed(&self) -> Vec<String> {
        let listed = self.storage.snapshots(&dataset()).expect("it lists");
        listed.iter().map(|snapshot| snapshot.name.to_string()).collect()
    }

    pub fn destroy(&self, names: &[&str]) -> Result<Destroyed, Error> {
        let names: Vec<Automatic> = names.iter().map(|name| automatic(name)).collect();
        self.storage.destroy(&dataset(), &names)
    }

    pub fn empty_trash(&self) -> Result<Emptied, Error> {
        self.storage.empty_trash(&dataset(), &stop())
    }

    /// What a snapshot has in the file that every run writes.
    pub fn content(&self, snapshot: &str) -> String {
        fs::read_to_string(self.path.join(snapshot).join("data/file")).expect("it is there")
    }

    pub fn trash(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path.join(".trash"))
            .expect("there is one")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect();
        names.sort();
        names
    }

    pub fn space(&self) -> Space {
        self.storage.space(&dataset()).expect("measured")
    }
}

pub fn made(settings: &Settings) -> Storage {
    Storage::new(settings, &Paths::new(Some("/nonexistent".into())))
}

pub fn dataset() -> DatasetName {
    "web1".parse().expect("a name")
}

pub fn fileset() -> Name {
    "acme-web1".parse().expect("a name")
}

pub fn stop() -> Stop {
    Stop::new().expect("a socket pair")
}

pub fn name(text: &str) -> SnapshotName {
    SnapshotName::parse(text).expect("one of ours")
}

pub fn automatic(text: &str) -> Automatic {
    text.parse().expect("an automatic one")
}

/// What a new tree is linked from, if its history is hard links.
pub fn reference(open: &Open) -> Option<PathBuf> {
    match open.workspace().writes() {
        Writes::Linked { reference } => reference.clone(),
        Writes::InPlace => None,
    }
}

pub fn resumed(open: &Open) -> bool {
    matches!(open.leftover(), Leftover::Resumed)
}
