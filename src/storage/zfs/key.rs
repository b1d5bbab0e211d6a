//! Keys of datasets: zfs-load-key(8). A key is only ever fed through a pipe, whatever the dataset's `keylocation` is.

use super::Zfs;
use crate::fileset::name::DatasetName;
use crate::host::process::{Captured, Ending, Input, Limits, Program};
use crate::host::secret::Secret;
use crate::host::signals::Stop;
use crate::keys::Key;
use crate::keys::sheet::Format;
use crate::storage::key::{Fit, KeyError};
use std::time::{Duration, Instant};

/// A pool that is busy takes its time.
const PATIENCE: Duration = Duration::from_secs(300);

const PROPERTIES: &str = "encryptionroot,keyformat,keystatus,mounted";

/// The encryption of a dataset as it is now.
struct State {
    format: Format,
    loaded: bool,
    mounted: bool,
}

impl Zfs {
    pub fn key_fits(&self, dataset: &DatasetName, key: &Key, stop: &Stop) -> Result<Fit, KeyError> {
        match self.state(dataset, stop)? {
            None => Ok(Fit::NoDataset),
            Some(state) => self.tried(dataset, state.format, key, stop),
        }
    }

    pub fn key_format(&self, dataset: &DatasetName, stop: &Stop) -> Result<Option<Format>, KeyError> {
        Ok(self.state(dataset, stop)?.map(|state| state.format))
    }

    pub fn change_key(
        &self,
        dataset: &DatasetName,
        old: &Key,
        new: &Key,
        stop: &Stop,
    ) -> Result<(), KeyError> {
        let name = self.name(dataset);
        let state =
            self.state(dataset, stop)?.ok_or_else(|| KeyError::NoParent { filesystem: name.clone() })?;
        if !state.loaded {
            must(
                &zfs(&["load-key", "-L", "prompt", &name], Some(written(old, state.format)), stop)?,
                "load-key",
            )?;
        }
        // From here on nobody's wish interrupts it: half of a change would have to be found out later.
        let undisturbed = Stop::new().map_err(|_| KeyError::Stopped)?;
        let change = ["change-key", "-o", "keyformat=raw", "-o", "keylocation=prompt", &name];
        must(&zfs(&change, Some(new.raw()), &undisturbed)?, "change-key")
    }

    pub fn forget_key(&self, dataset: &DatasetName) -> Result<(), KeyError> {
        let undisturbed = Stop::new().map_err(|_| KeyError::Stopped)?;
        match self.state(dataset, &undisturbed)? {
            Some(State { loaded: true, mounted: false, .. }) => {
                must(&zfs(&["unload-key", &self.name(dataset)], None, &undisturbed)?, "unload-key")
            }
            _ => Ok(()),
        }
    }

    fn name(&self, dataset: &DatasetName) -> String {
        format!("{}/{dataset}", self.parent)
    }

    /// `zfs load-key -n` tries without loading, also where another key is loaded.
    fn tried(&self, dataset: &DatasetName, format: Format, key: &Key, stop: &Stop) -> Result<Fit, KeyError> {
        let try_it = ["load-key", "-n", "-L", "prompt", &self.name(dataset)];
        let done = zfs(&try_it, Some(written(key, format)), stop)?;
        match done.ending {
            Ending::Exited(0) => Ok(Fit::Fits),
            Ending::Exited(_) if said(&done).contains("Incorrect key provided") => Ok(Fit::Wrong),
            _ => Err(failed(&done, "load-key -n")),
        }
    }

    /// `None` where there is no such dataset.
    fn state(&self, dataset: &DatasetName, stop: &Stop) -> Result<Option<State>, KeyError> {
        let filesystem = self.name(dataset);
        let get = ["get", "-Hp", "-o", "property,value", PROPERTIES, &filesystem];
        let done = zfs(&get, None, stop)?;
        if done.ending != Ending::Exited(0) {
            if !said(&done).contains("does not exist") {
                return Err(failed(&done, "get"));
            }
            let parent = zfs(&["list", "-H", "-o", "name", self.parent.as_str()], None, stop)?;
            return match parent.ending {
                Ending::Exited(0) => Ok(None),
                _ if said(&parent).contains("does not exist") || said(&parent).contains("no such pool") => {
                    Err(KeyError::NoParent { filesystem: self.parent.to_string() })
                }
                _ => Err(failed(&parent, "list")),
            };
        }
        let text = String::from_utf8_lossy(&done.stdout);
        state_of(&filesystem, &text).map(Some)
    }
}

/// The output of `zfs get -Hp -o property,value encryptionroot,keyformat,keystatus,mounted NAME`.
fn state_of(filesystem: &str, text: &str) -> Result<State, KeyError> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        line.unwrap_or("-").to_owned()
    };
    let filesystem = filesystem.to_owned();
    let root = value("encryptionroot");
    if root == "-" {
        return Err(KeyError::NotEncrypted { filesystem });
    }
    if root != filesystem {
        return Err(KeyError::Inherited { filesystem, root });
    }
    let format = match value("keyformat").as_str() {
        "raw" => Format::Raw,
        "hex" => Format::Hex,
        format => return Err(KeyError::Format { filesystem, format: format.to_owned() }),
    };
    let (loaded, mounted) = (value("keystatus") == "available", value("mounted") == "yes");
    Ok(State { format, loaded, mounted })
}

fn written(key: &Key, format: Format) -> Secret {
    match format {
        Format::Raw => key.raw(),
        Format::Hex => key.hex(),
    }
}

fn zfs(arguments: &[&str], key: Option<Secret>, stop: &Stop) -> Result<Captured, KeyError> {
    let limits = Limits { stop, deadline: Some(Instant::now() + PATIENCE) };
    let input = key.map_or(Input::Nothing, Input::Secret);
    let done = Program::find("zfs")?.args(arguments).stdin(input).capture(limits, 64 * 1024)?;
    if done.ending == Ending::Stopped { Err(KeyError::Stopped) } else { Ok(done) }
}

fn must(done: &Captured, command: &str) -> Result<(), KeyError> {
    if done.ending.is_clean() { Ok(()) } else { Err(failed(done, command)) }
}

fn failed(done: &Captured, command: &str) -> KeyError {
    let said = said(done).lines().next().unwrap_or_default().to_owned();
    KeyError::Failed { command: format!("zfs {command}"), ending: done.ending, said }
}

fn said(done: &Captured) -> String {
    String::from_utf8_lossy(&done.stderr).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_encryption_is_read() {
        let text = |root: &str, format: &str| {
            format!("encryptionroot\t{root}\nkeyformat\t{format}\nkeystatus\tunavailable\nmounted\tno\n")
        };
        let state = state_of("tank/a", &text("tank/a", "hex")).expect("encrypted");
        assert!(state.format == Format::Hex && !state.loaded && !state.mounted);
        let loaded = text("tank/a", "raw").replace("unavailable", "available");
        assert!(state_of("tank/a", &loaded).is_ok_and(|state| state.loaded && state.format == Format::Raw));
        assert!(matches!(state_of("tank/a", &text("-", "none")), Err(KeyError::NotEncrypted { .. })));
        assert!(matches!(state_of("tank/a", &text("tank", "raw")), Err(KeyError::Inherited { .. })));
        assert!(matches!(state_of("tank/a", &text("tank/a", "passphrase")), Err(KeyError::Format { .. })));
    }
}
