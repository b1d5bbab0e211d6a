//! What a transfer unit tells of itself: how far it is, and what it came to.
//!
//! The files are the transfer's, and the transfer talks to the network: to root they are letters from a stranger. They
//! are opened without following links, must be files, have a size, and mean nothing unless all of them is understood.
//! Their figures are believed as figures: a transfer that was taken over can lie about how much it moved, and no more.

use crate::fileset::name::Name;
use crate::fileset::progress::{Progress, Transferred};
use crate::host::paths::Paths;
use crate::transport::Failure;
use nix::fcntl::{self, OFlag, openat};
use nix::sys::stat::Mode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

const PROGRESS: &str = "progress.json";
const OUTCOME: &str = "outcome.json";

/// The longest file that is read.
const LONGEST: u64 = 64 * 1024;
/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 4000;

/// The end of a transfer, in its own words.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The run's: what an earlier transfer left behind is not taken for this one's.
    pub id: String,
    pub came_to: CameTo,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CameTo {
    Done(Transferred),
    Nothing(Failure),
}

/// Writes into the transfer's own directory how far it is.
pub fn progress(directory: &Path, progress: &Progress) -> io::Result<()> {
    write(directory, PROGRESS, progress)
}

/// Writes what it came to.
pub fn outcome(directory: &Path, outcome: &Outcome) -> io::Result<()> {
    write(directory, OUTCOME, outcome)
}

fn write(directory: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let new = directory.join(format!("{name}.new"));
    fs::write(&new, serde_json::to_vec(value)?)?;
    fs::rename(&new, directory.join(name))
}

/// How far the fileset's transfer says it is.
pub fn read_progress(paths: &Paths, fileset: &Name) -> Option<Progress> {
    let told: Progress = read(&paths.transfer(fileset), PROGRESS).ok()?;
    let share = |fraction: f64| Some(fraction).filter(|f| f.is_finite()).map(|f| f.clamp(0.0, 1.0));
    Some(Progress { fraction: told.fraction.and_then(share), ..told })
}

/// What the transfer of that run says it came to.
pub fn read_outcome(paths: &Paths, fileset: &Name, id: &str) -> io::Result<CameTo> {
    let told: Outcome = read(&paths.transfer(fileset), OUTCOME)?;
    if told.id != id {
        return Err(io::Error::other("it is another run's"));
    }
    Ok(match told.came_to {
        CameTo::Nothing(failure) => {
            CameTo::Nothing(Failure { reason: plain(&failure.reason, LONGEST_REASON), ..failure })
        }
        done @ CameTo::Done(_) => done,
    })
}

/// One line that a terminal can be shown, of at most so many characters.
pub fn plain(text: &str, longest: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect()
}

/// Opens a file of a transfer's, if it is one.
pub fn open(directory: &Path, name: &str) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = fcntl::open(directory, flags | OFlag::O_DIRECTORY, Mode::empty())?;
    // Without O_NONBLOCK a named pipe would hold us up.
    let file = File::from(openat(directory, name, flags | OFlag::O_NONBLOCK, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<T> {
    let file = open(directory, name)?;
    if file.metadata()?.len() > LONGEST {
        return Err(io::Error::other("it is too long"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Place;
    use super::*;
    use crate::transport::Verdict;
    use nix::unistd::mkfifo;
    use std::os::unix::fs::symlink;

    fn failure(reason: &str) -> CameTo {
        CameTo::Nothing(Failure { verdict: Verdict::Failed, reason: reason.into(), exit_code: Some(23) })
    }

    #[test]
    fn an_outcome_comes_over_and_is_of_its_run() {
        let Place { paths, name, .. } = &Place::new();
        let directory = paths.transfer(name);
        let done = || CameTo::Done(Transferred { files: 3, ..Transferred::default() });
        outcome(&directory, &Outcome { id: "1".into(), came_to: done() }).expect("written");
        assert_eq!(read_outcome(paths, name, "1").expect("read"), done());
        assert!(read_outcome(paths, name, "2").is_err());
        let long = "x\n\u{1b}[2J".repeat(2000);
        outcome(&directory, &Outcome { id: "1".into(), came_to: failure(&long) }).expect("written");
        let Ok(CameTo::Nothing(failure)) = read_outcome(paths, name, "1") else { panic!("a failure") };
        assert!(failure.reason.chars().count() == LONGEST_REASON && !failure.reason.contains('\u{1b}'));
    }

    #[test]
    fn links_pipes_directories_and_nonsense_mean_nothing() {
        let Place { paths, name, .. } = &Place::new();
        let at = paths.transfer(name).join(OUTCOME);
        let refused = |what: &str| {
            assert!(read_outcome(paths, name, "1").is_err(), "{what}");
            if fs::remove_file(&at).is_err() {
                fs::remove_dir(&at).expect("removed");
            }
        };
        let good = serde_json::to_vec(&Outcome { id: "1".into(), came_to: failure("") }).expect("json");
        let elsewhere = paths.runtime().join("elsewhere");
        fs::create_dir_all(paths.runtime()).expect("a directory");
        fs::write(&elsewhere, &good).expect("written");
        symlink(&elsewhere, &at).expect("linked");
        refused("a link");
        mkfifo(&at, Mode::S_IRWXU).expect("made");
        refused("a pipe");
        fs::create_dir(&at).expect("made");
        refused("a directory");
        let mut long = good.clone();
        long.extend(std::iter::repeat_n(b' ', 70_000));
        for nonsense in [&b""[..], b"{", b"{\"id\":\"1\"}", b"[]", &long, &[good.as_slice(), b"x"].concat()] {
            fs::write(&at, nonsense).expect("written");
            refused("nonsense");
        }
        let mut more = good.clone();
        more.pop();
        more.extend(b",\"more\":1}");
        fs::write(&at, more).expect("written");
        refused("more than it should say");
        fs::remove_dir(paths.transfer(name)).expect("removed");
        symlink("/tmp", paths.transfer(name)).expect("linked");
        assert!(read_outcome(paths, name, "1").is_err());
    }

    #[test]
    fn a_share_is_a_share() {
        let Place { paths, name, .. } = &Place::new();
        let at = paths.transfer(name).join(PROGRESS);
        let told = |fraction: &str| {
            let text = format!(
                "{{\"bytes\":1,\"fraction\":{fraction},\"rate\":2,\"eta_s\":null,\"files\":3,\"of_files\":4}}"
            );
            fs::write(&at, text).expect("written");
            read_progress(paths, name).and_then(|progress| progress.fraction)
        };
        assert_eq!((told("0.25"), told("7"), told("-1e300")), (Some(0.25), Some(1.0), Some(0.0)));
        assert_eq!((told("1e999"), told("\"x\"")), (None, None));
    }
}
