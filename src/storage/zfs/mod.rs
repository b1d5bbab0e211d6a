//! A storage on OpenZFS: a dataset is a file system of its own, and history is its snapshots.
//!
//! ```text
//! PARENT/DATASET                              the file system; planb:fileset says whose it is
//! PATH/DATASET/data                           the files as they are, updated in place: only changed blocks are written
//! PATH/DATASET/.zfs/snapshot/NAME/data        the files as they were
//! ```
//!
//! It is mounted for as long as a run needs it, and its key is loaded for no longer. What zfs is asked is bounded: one
//! listing whatever the number of filesets, one call to destroy whatever the number of snapshots. Nothing here destroys
//! a file system, and nothing is recursive but the destruction of snapshots that a fileset has of many datasets ([`replica`]).

mod command;
mod dataset;
mod destroy;
mod error;
mod health;
mod key;
mod listing;
mod marks;
mod mount;
mod open;
mod rename;
mod replica;
mod space;

pub use error::Error;
pub use health::pools;
pub use open::Open;
pub use replica::{Below, Claim, Expected, HOLD, Received, Replica};

use super::{Errand, Error as StorageError, Listed, Shut, User};
use crate::fileset::name::{DatasetName, Name};
use crate::fileset::reason::chain;
use crate::fileset::zfs::Filesystem;
use crate::host::account::Account;
use crate::host::presence::Presence;
use crate::host::signals::Stop;
use crate::keys::Keys;
use command::{check_pool, is_confined, look, zfs};
use dataset::Dataset;
use marks::Marks;
use open::{Mounted, files_of};
use replica::CHILDREN;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

const LIST: [&str; 4] = ["list", "-Hp", "-t", "snapshot"];

/// The file system below which the datasets are.
#[derive(Debug)]
pub struct Zfs {
    parent: Filesystem,
    path: PathBuf,
    /// /run/planb.
    runtime: PathBuf,
    /// Who fills workspaces: we ourselves, or whom we let.
    writer: Account,
}

impl Zfs {
    pub fn new(parent: Filesystem, path: PathBuf, runtime: PathBuf) -> Self {
        Self { parent, path, runtime, writer: Account::own() }
    }

    pub fn filled_by(self, writer: Account) -> Self {
        Self { writer, ..self }
    }

    pub fn open(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Open, StorageError> {
        let mounted = self.enter(dataset, fileset, keys, stop)?;
        Open::new(mounted, self.writer, stop)
    }

    /// Mounts the dataset of that fileset for a run, and makes it where it is missing.
    fn enter(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Mounted, StorageError> {
        check_pool(self.parent.as_str())?;
        let path = self.path.join(dataset);
        let found = match dataset::find(&self.parent.child(dataset), &path, fileset, keys)? {
            Some(found) => found,
            None => self.create(dataset, fileset, keys, stop)?,
        };
        let marks = self.marks(dataset);
        let user = User { errand: Errand::Run, who: String::new(), since: None, process: Presence::own() };
        mount::enter(&found, fileset, keys, &marks, &user, stop)?;
        let mounted = Mounted { dataset: found, marks, user };
        if stop.wished() {
            return Err(StorageError::Stopped);
        }
        dataset::take_over(&mounted.dataset, fileset)?;
        Ok(mounted)
    }

    fn create(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        stop: &Stop,
    ) -> Result<Dataset, Error> {
        if keys.is_some() {
            // Making it loads its key. Noted before, for whoever comes after us if we do not come to use it.
            let mut locked = self.marks(dataset).lock()?;
            locked.state.loaded = true;
            locked.keep()?;
        }
        let name = self.parent.child(dataset);
        dataset::create(&self.parent, dataset, &self.path, fileset, keys, stop)?;
        dataset::find(&name, &self.path.join(dataset), fileset, keys)?
            .ok_or_else(|| Error::NotUnderstood { said: format!("{name} was made and is not there") })
    }

    /// Opens what is there to be looked at.
    pub fn visit(
        &self,
        dataset: &DatasetName,
        fileset: &Name,
        keys: Option<&Keys>,
        user: &User,
        stop: &Stop,
    ) -> Result<PathBuf, StorageError> {
        check_pool(self.parent.as_str())?;
        let (name, path) = (self.parent.child(dataset), self.path.join(dataset));
        let Some(found) = dataset::find(&name, &path, fileset, keys)? else {
            return Err(Error::NotYet { filesystem: name }.into());
        };
        mount::enter(&found, fileset, keys, &self.marks(dataset), user, stop)?;
        // The last one out unmounts what is below with it.
        Ok(if replica::show(&name)? { path } else { open::snapshots_of(&path) })
    }

    pub fn leave(&self, dataset: &DatasetName, user: &User) -> Result<(), StorageError> {
        let (name, path) = (self.parent.child(dataset), self.path.join(dataset));
        check_pool(&name)?;
        Ok(mount::leave(&name, &path, &self.marks(dataset), user)?)
    }

    pub fn shut(&self, dataset: &DatasetName) -> Result<Shut, StorageError> {
        let (name, path) = (self.parent.child(dataset), self.path.join(dataset));
        check_pool(&name)?;
        Ok(mount::shut(&name, &path, &self.marks(dataset))?)
    }

    pub fn close(&self, dataset: &DatasetName) -> Result<(), StorageError> {
        let (name, path) = (self.parent.child(dataset), self.path.join(dataset));
        Ok(mount::close(&name, &path, &self.marks(dataset))?)
    }

    fn marks(&self, dataset: &DatasetName) -> Marks {
        Marks::of(&self.runtime, dataset)
    }

    pub fn snapshots(&self, dataset: &DatasetName) -> Result<Vec<Listed>, StorageError> {
        check_pool(self.parent.as_str())?;
        let filesystem = self.parent.child(dataset);
        let text = match list(&format!("name,used,referenced,{CHILDREN}"), &filesystem) {
            Err(error) if error.is_missing() => {
                self.check_seen()?;
                return Ok(Vec::new());
            }
            text => text?,
        };
        let (rows, broken) = listing::of_dataset(&text, &filesystem);
        if !broken.is_empty() {
            let names: Vec<String> = broken.iter().map(ToString::to_string).collect();
            log::warn!(
                "{dataset}: not all of its datasets have {} any more, which is no snapshot of it now: what there is of it goes \
                 with zfs destroy -r {filesystem}@{}",
                names.join(", "),
                names.join(",")
            );
        }
        Ok(self.in_order(dataset, rows))
    }

    /// Asks for names alone: what each snapshot uses takes zfs a look at the disks for each.
    pub fn snapshots_of(&self, datasets: &[&DatasetName]) -> Vec<Result<Vec<Listed>, StorageError>> {
        let all = check_pool(self.parent.as_str()).and_then(|()| {
            // With these columns and in this order zfs has a short way.
            match look(&[&LIST[..], &["-o", "name", "-s", "name", "-r", self.parent.as_str()]].concat()) {
                Err(error) if error.is_missing() => {
                    self.check_seen().map(|()| (String::new(), HashMap::new()))
                }
                text => text.and_then(|text| self.broken(&text).map(|broken| (text, broken))),
            }
        });
        let (text, broken) = match all {
            Ok(all) => all,
            // Each is told for itself; the first is told why.
            Err(error) => {
                let (why, is_denied) = (chain(&error), error.is_denied());
                let parent = self.parent.to_string();
                let failed =
                    || Err(Error::NotListed { parent: parent.clone(), why: why.clone(), is_denied }.into());
                return datasets.iter().map(|_| failed()).collect();
            }
        };
        let mut rows: HashMap<&str, Vec<listing::Row>> = HashMap::new();
        for (filesystem, row) in listing::snapshots(&text) {
            rows.entry(filesystem).or_default().push(row);
        }
        let of = |dataset: &&DatasetName| {
            let filesystem = self.parent.child(dataset);
            let mut rows = rows.remove(filesystem.as_str()).unwrap_or_default();
            if let Some(broken) = broken.get(&filesystem) {
                rows.retain(|row| !broken.contains(&row.name.to_string()));
            }
            Ok(self.in_order(dataset, rows))
        };
        datasets.iter().map(of).collect()
    }

    /// Makes sure that what zfs does not show is not there.
    fn check_seen(&self) -> Result<(), Error> {
        let pool = self.parent.pool();
        if is_confined() && zfs(&["list", "-H", "-o", "name", pool]).is_err_and(|error| error.is_missing()) {
            return Err(Error::Hidden { filesystem: pool.to_owned() });
        }
        Ok(())
    }

    /// What is not good of the datasets in a listing of all that have others below them. One more call, and none where there
    /// are no such.
    fn broken(&self, text: &str) -> Result<HashMap<String, HashSet<String>>, Error> {
        let mut containers: Vec<String> = listing::snapshots(text)
            .filter_map(|(filesystem, _)| {
                let below = filesystem.strip_prefix(self.parent.as_str())?.strip_prefix('/')?;
                Some(format!("{}/{}", self.parent, below.split_once('/')?.0))
            })
            .collect();
        containers.dedup();
        if containers.is_empty() {
            return Ok(HashMap::new());
        }
        let columns = format!("name,{CHILDREN}");
        let arguments = [&LIST[..], &["-d", "1", "-o", &columns]].concat();
        let arguments: Vec<&str> =
            arguments.into_iter().chain(containers.iter().map(String::as_str)).collect();
        let wanted = look(&arguments)?;
        let mut broken: HashMap<String, HashSet<String>> = HashMap::new();
        let counted = listing::counted(text);
        for (container, snapshot, children) in listing::children(&wanted) {
            let there = counted.get(&(container, snapshot)).copied().unwrap_or(0);
            if there < children {
                broken.entry(container.to_owned()).or_default().insert(snapshot.to_owned());
            }
        }
        Ok(broken)
    }

    fn in_order(&self, dataset: &DatasetName, rows: Vec<listing::Row>) -> Vec<Listed> {
        let mut listed: Vec<Listed> = rows.into_iter().map(|row| self.listed(dataset, row)).collect();
        listed.sort_by_cached_key(|there| (there.name.time(), there.name.to_string()));
        listed
    }

    fn listed(&self, dataset: &DatasetName, row: listing::Row) -> Listed {
        let dataset = self.path.join(dataset);
        // The files of a container are those of the datasets below it, each with its own snapshots.
        let path = if row.children.is_some() { dataset } else { files_of(&dataset, &row.name) };
        Listed { path, name: row.name, used: row.used, referenced: row.referenced }
    }
}

/// The snapshots of a file system and of all below it, with these columns.
fn list(columns: &str, filesystem: &str) -> Result<String, Error> {
    zfs(&[&LIST[..], &["-r", "-o", columns, filesystem]].concat())
}
