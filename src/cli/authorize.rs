//! `planb authorize`: how a source lets us in.

use super::exit::Exit;
use super::world::World;
use super::{out, say};
use crate::config::{self, Configuration, Fileset};
use crate::fileset::name::Name;
use crate::transport::Transport;
use crate::transport::source::{self, PublicKey};
use crate::transport::ssh::{self, login::Login};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;

/// Print a script that sets a source up for its backups, to be read and then run there as root
#[derive(Debug, clap::Args)]
pub struct Authorize {
    /// A source host, with all filesets that it is the source of, or one fileset
    #[arg(value_name = "HOST|FILESET")]
    name: String,
    /// The login, of a host whose filesets have several
    #[arg(long)]
    user: Option<String>,
}

impl Authorize {
    pub fn run(self, world: &World) -> Result<Exit> {
        let configuration = config::load(&world.paths, world.user);
        let Some(filesets) = self.filesets(&configuration) else {
            return Ok(Exit::Usage);
        };
        let mut logins: Vec<&str> = filesets.iter().map(|(_, _, login)| login.user.as_str()).collect();
        logins.sort_unstable();
        logins.dedup();
        if let [one, other, ..] = logins.as_slice() {
            say(format_args!(
                "planb: filesets log in to {} as {one} and {other}: say which with --user",
                self.name
            ));
            return Ok(Exit::Usage);
        }
        let mut keys = filesets
            .iter()
            .map(|(_, _, login)| ssh::public_key(login.identity.as_deref(), &world.paths.state()));
        let key = keys.next().flatten();
        if keys.any(|other| other != key) {
            bail!("the filesets of {} have another `identity` each: name one fileset", self.name);
        }
        let key = read(key)?;
        let filesets = filesets.into_iter().map(|(name, transport, _)| (name, transport)).collect();
        out::print(&source::script(&source::Alike { asked: &self.name, key: &key, filesets })?)?;
        Ok(Exit::Done)
    }

    /// Those that are meant, over ssh; `None` after it was said why there is none.
    fn filesets<'c>(
        &self,
        configuration: &'c Configuration,
    ) -> Option<Vec<(&'c Name, &'c Transport, &'c Login)>> {
        if let Some(invalid) = configuration.invalid(&self.name) {
            invalid.diagnostics.iter().for_each(say);
            return None;
        }
        let named = configuration.fileset(&self.name);
        let of_host = |fileset: &&Fileset| fileset.transport.host() == Some(self.name.as_str());
        let meant: Vec<&Fileset> = match named {
            Some(fileset) => vec![fileset],
            None => configuration.filesets.iter().filter(of_host).collect(),
        };
        if meant.is_empty() {
            say(format_args!(
                "planb: {}, and no fileset has such a `host`",
                configuration.unknown(&self.name)
            ));
            return None;
        }
        let over_ssh = |fileset: &'c Fileset| {
            fileset.transport.login().map(|login| (&fileset.name, &fileset.transport, login))
        };
        let wanted = |login: &Login| self.user.as_ref().is_none_or(|user| login.user.as_str() == user);
        let filesets: Vec<_> =
            meant.into_iter().filter_map(over_ssh).filter(|(_, _, login)| wanted(login)).collect();
        if filesets.is_empty() {
            say(format_args!(
                "planb: {} is not reached over ssh by such a login: there is nothing to authorize",
                self.name
            ));
            return None;
        }
        Some(filesets)
    }
}

fn read(path: Option<PathBuf>) -> Result<PublicKey> {
    let Some(path) = path else {
        bail!("there is no key yet: make one with `runuser -u planb -- ssh-keygen -t ed25519`");
    };
    let shown = path.display().to_string();
    let text = fs::read_to_string(&path).with_context(|| {
        format!("failed to read {shown}: the public half of a key is made by ssh-keygen -y -f KEY >KEY.pub")
    })?;
    text.parse()
        .map_err(|invalid: crate::fileset::invalid::Invalid| anyhow::anyhow!("{shown} {}", invalid.message))
}
