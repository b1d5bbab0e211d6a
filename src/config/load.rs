//! Reads all files and brings each drop-in from written over merged to valid.

use super::built_in::BuiltIn;
use super::diagnostic::Diagnostic;
use super::document::Document;
use super::fileset::{self, Fileset};
use super::merged::Merged;
use super::settings::{self, Judged};
use super::source::{self, DropIn, Trust};
use super::suggest::nearest;
use super::value::Data;
use super::written::{Host, Layer, Rank};
use super::zones::Zones;
use super::{Configuration, Invalid, keys, reader, show};
use crate::fileset::key::KeySource;
use crate::fileset::name::{Group, Name};
use crate::host::paths::Paths;
use crate::host::threads;
use nix::unistd::Uid;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads everything. `user` is who runs us: under `--root` the files may be theirs.
pub fn load(paths: &Paths, user: Uid) -> Configuration {
    let host = HostFile::load(paths, user);
    let (drop_ins, mut diagnostics) = source::drop_ins(&paths.drop_ins(), host.trust);
    if drop_ins.is_empty() && diagnostics.iter().all(|diagnostic| !diagnostic.is_error()) {
        let message = "no filesets: drop one file for each into this directory";
        diagnostics.extend(paths.drop_ins().first().map(|directory| Diagnostic::warning(directory, message)));
    }
    let mut read = host.filesets(&drop_ins);
    one_dataset_each(&mut read);
    one_key_each(&mut read);

    let mut configuration = Configuration {
        settings: host.judged.settings,
        filesets: Vec::with_capacity(read.len()),
        invalid: Vec::new(),
        diagnostics,
    };
    let judged = [host.judged.own, host.judged.fatal, host.judged.shared];
    configuration.diagnostics.extend(judged.into_iter().flatten());
    for Read { file, name, fileset, mut diagnostics, .. } in read {
        if let Some(fileset) = fileset.filter(|_| diagnostics.is_empty()) {
            configuration.filesets.push(fileset);
            continue;
        }
        if diagnostics.is_empty() {
            diagnostics
                .push(Diagnostic::file(&file, "is invalid, and planb cannot say why: please report it"));
        }
        diagnostics.sort();
        diagnostics.dedup();
        configuration.diagnostics.extend(diagnostics.iter().cloned());
        configuration.invalid.push(Invalid { name, file, diagnostics });
    }
    configuration.filesets.sort_by(|one, other| one.name.cmp(&other.name));
    configuration.diagnostics.sort();
    configuration.diagnostics.dedup();
    configuration
}

/// What holds for a fileset in the end, as a drop-in that says all of it, with where each value came from. Absent
/// where there is no such valid fileset.
pub fn effective(paths: &Paths, user: Uid, fileset: &Fileset) -> Option<String> {
    let host = HostFile::load(paths, user);
    let document = Arc::new(source::read(&fileset.file, host.trust).ok()?);
    let own = reader::drop_in(&document).ok()?;
    let (shared, _) = host.shared(&own);
    let merged = Merged::new(&own, &shared, &host.built_in).in_one_of(&host.written.storages);
    Some(show::effective(fileset, &merged))
}

/// The text of a drop-in, if it is to be trusted.
pub fn text(paths: &Paths, user: Uid, file: &Path) -> Result<String, Diagnostic> {
    source::read(file, Trust { user: paths.is_rooted().then_some(user) }).map(|document| document.text)
}

/// What a drop-in of that text would be if it lay at `file`, whose name is the fileset's.
pub fn judged(paths: &Paths, user: Uid, file: &Path, text: String) -> Result<Fileset, Vec<Diagnostic>> {
    let host = HostFile::load(paths, user);
    let mut read = Read::new(file, host.judged.fatal.clone());
    host.judge(&Arc::new(Document { path: file.to_owned(), text }), &mut read);
    read.diagnostics.sort();
    read.diagnostics.dedup();
    read.fileset.filter(|_| read.diagnostics.is_empty()).ok_or(read.diagnostics)
}

/// planb.toml and what comes with it: all that filesets have in common.
struct HostFile {
    path: PathBuf,
    trust: Trust,
    written: Host,
    judged: Judged,
    built_in: BuiltIn,
    zones: Zones,
}

/// A drop-in, read and judged.
struct Read {
    file: PathBuf,
    name: Option<Name>,
    fileset: Option<Fileset>,
    place: Option<fileset::Place>,
    diagnostics: Vec<Diagnostic>,
}

impl Read {
    fn new(file: &Path, mut diagnostics: Vec<Diagnostic>) -> Self {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let name = stem.parse::<Name>().map_err(|invalid| {
            let message = format!("a drop-in is named as its fileset: {}", invalid.message);
            diagnostics.push(Diagnostic::file(file, message));
        });
        Self { file: file.to_owned(), name: name.ok(), fileset: None, place: None, diagnostics }
    }
}

impl HostFile {
    fn load(paths: &Paths, user: Uid) -> Self {
        let trust = Trust { user: paths.is_rooted().then_some(user) };
        let path = paths.settings();
        let (document, refused) = match source::read_optional(&path, trust) {
            Ok(document) => (document, None),
            Err(diagnostic) => (None, Some(diagnostic)),
        };
        let empty = || Document { path: path.clone(), text: String::new() };
        let mut written = reader::host(&Arc::new(document.unwrap_or_else(empty)));
        written.fatal.extend(refused);
        let directory = path.parent().unwrap_or(Path::new("/"));
        written.fatal.extend(source::trusted_directory(directory, trust).err());
        if !written.fatal.is_empty() {
            let message = "no fileset is backed up until this is mended: what filesets inherit is unknown";
            written.fatal.push(Diagnostic::file(&path, message));
        }
        let zones = Zones::default();
        let judged = settings::judge(&written, &zones);
        Self { path, trust, written, judged, built_in: BuiltIn::new(), zones }
    }

    /// All drop-ins, in their order. Ten thousand of them are read at every boot and by every command.
    fn filesets(&self, drop_ins: &[DropIn]) -> Vec<Read> {
        let read = |drop_ins: &[DropIn]| drop_ins.iter().map(|drop_in| self.fileset(drop_in)).collect();
        threads::share(drop_ins, read).into_iter().flat_map(|read: Vec<Read>| read).collect()
    }

    fn fileset(&self, drop_in: &DropIn) -> Read {
        let mut read = Read::new(&drop_in.path, [drop_in.doubts.as_slice(), &self.judged.fatal].concat());
        match drop_in.read(self.trust) {
            Ok(document) => self.judge(&Arc::new(document), &mut read),
            Err(diagnostic) => read.diagnostics.push(diagnostic),
        }
        read
    }

    /// Judges the text of a drop-in.
    fn judge(&self, document: &Arc<Document>, read: &mut Read) {
        let own = match reader::drop_in(document) {
            Ok(own) => own,
            Err(errors) => return read.diagnostics.extend(errors),
        };
        read.diagnostics.extend(own.faults.clone());
        let (shared, faults) = self.shared(&own);
        read.diagnostics.extend(faults);
        let merged = Merged::new(&own, &shared, &self.built_in).in_one_of(&self.written.storages);
        // A wrong file name is told already; everything else in it is judged under any name.
        let name = read.name.clone().or_else(|| "unnamed".parse().ok());
        if let Some(name) = name {
            (read.fileset, read.place) =
                fileset::judge(&name, &merged, &self.judged, &self.path, &self.zones, &mut read.diagnostics);
        }
        if read.name.is_none() {
            (read.fileset, read.place) = (None, None);
        }
    }

    /// The layers that a drop-in inherits from, the most specific first, and what is wrong with them.
    fn shared(&self, own: &Layer) -> (Vec<&Layer>, Vec<Diagnostic>) {
        let (mut layers, mut faults) = (Vec::new(), Vec::new());
        if let Some(written) = own.get(&keys::GROUP)
            && let Data::Text { text: group, .. } = &written.value.data
            && group.parse::<Group>().is_ok()
        {
            match self.written.groups.get(group) {
                Some(group) => layers.push(&group.layer),
                None if self.judged.fatal.is_empty() => {
                    let hint = match nearest(group, self.written.groups.keys().map(String::as_str)) {
                        Some(meant) => format!("did you mean {meant:?}?"),
                        None => format!("add [group.{group}] to {}", self.path.display()),
                    };
                    let message = format!("unknown group {group:?}: {hint}");
                    faults.push(own.document.cite(written.value.span.clone(), message));
                }
                None => {}
            }
        }
        layers.push(&self.written.defaults);
        debug_assert!(layers.iter().all(|layer| layer.rank == Rank::Shared), "only these are shared");
        faults.extend(layers.iter().flat_map(|layer| layer.faults.clone()));
        (layers, faults)
    }
}

/// Two filesets on one dataset would destroy each other's history: neither is valid.
fn one_dataset_each(read: &mut [Read]) {
    one_each(
        read,
        |read| read.place.clone(),
        |(storage, dataset), others| {
            format!(
                "the dataset \"{dataset}\" in storage \"{storage}\" is also that of {others}: give each its own `dataset`"
            )
        },
    );
}

/// A key that two filesets share opens both to who has one, and is rotated under the other's feet: neither is valid.
fn one_key_each(read: &mut [Read]) {
    let file = |read: &Read| match &read.fileset.as_ref()?.encryption {
        Some(KeySource::File(path)) => Some(path.clone()),
        _ => None,
    };
    one_each(read, file, |path, others| {
        format!("the key {} is also that of {others}: write {{fileset}} into the path", path.display())
    });
}

/// Complains of filesets that have the same of something of which each must have its own.
fn one_each<T: Ord>(
    read: &mut [Read],
    of: impl Fn(&Read) -> Option<T>,
    complaint: impl Fn(&T, &str) -> String,
) {
    let mut owners: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    for (number, own) in read.iter().enumerate().filter_map(|(number, read)| Some((number, of(read)?))) {
        owners.entry(own).or_default().push(number);
    }
    for (own, numbers) in owners.into_iter().filter(|(_, numbers)| numbers.len() > 1) {
        let files: Vec<String> =
            numbers.iter().map(|&number| read[number].file.display().to_string()).collect();
        for (at, &number) in numbers.iter().enumerate() {
            let others: Vec<&str> = files
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, file)| file.as_str())
                .collect();
            let message = complaint(&own, &others.join(" and "));
            let file = read[number].file.clone();
            read[number].diagnostics.push(Diagnostic::file(file, message));
        }
    }
}
