//! What a source has to allow for the filesets that log in alike.

use super::Error;
use crate::fileset::name::Name;
use crate::transport::Transport;
use crate::transport::rsync::admission;
use crate::transport::rsync::settings::Source;
use crate::transport::rsync::words::RemoteProgram;
use crate::transport::zfs;
use crate::transport::zfs::admission::TAGGED;
use crate::transport::zfs::command::ZFS;
use crate::transport::zfs::settings::Datasets;
use std::collections::BTreeSet;

/// What these filesets need, all together.
#[derive(Debug, Default)]
pub struct Needs<'a> {
    /// Commands that sshd may be asked for, as regular expressions.
    pub commands: BTreeSet<String>,
    /// Programs that must be there, each with what finds it in the script.
    pub programs: BTreeSet<&'a str>,
    /// rsync's, with whose fileset says so.
    pub rsync: Option<(&'a Name, &'a RemoteProgram)>,
    /// Of rsync's arguments under sudo.
    pub rsync_rules: BTreeSet<String>,
    /// Of zfs's.
    pub zfs_rules: BTreeSet<String>,
    /// What streams may be of that go on.
    pub resumed: BTreeSet<String>,
    /// zfs's own permissions.
    pub grants: BTreeSet<String>,
    /// Likewise, on whatever the source's own planb keeps.
    pub grants_on_kept: BTreeSet<String>,
    /// The commands that tell which of that are wanted.
    pub asked: BTreeSet<String>,
}

impl<'a> Needs<'a> {
    /// Adds what one fileset needs.
    pub fn add(&mut self, name: &'a Name, transport: &'a Transport) -> Result<(), Error> {
        match transport {
            Transport::Rsync(settings) => {
                let Source::Ssh(ssh) = &settings.source else {
                    return Err(Error::NotSsh { fileset: name.clone() });
                };
                match self.rsync {
                    Some((one, program)) if *program != ssh.rsync_path => {
                        return Err(Error::TwoPrograms { one: one.clone(), other: name.clone() });
                    }
                    _ => self.rsync = Some((name, &ssh.rsync_path)),
                }
                let odd = |source| Error::Odd { fileset: name.clone(), source };
                self.programs.insert(ssh.rsync_path.as_str());
                self.commands.insert(admission::command(settings, ssh).map_err(odd)?);
                if ssh.sudo {
                    self.rsync_rules.insert(admission::arguments(settings, ssh).map_err(odd)?);
                }
            }
            Transport::Zfs(settings) => {
                self.programs.insert(ZFS);
                self.commands.extend(zfs::admission::commands(settings));
                self.resumed.insert(zfs::admission::resumed(settings));
                if settings.sudo {
                    self.zfs_rules.insert(zfs::admission::destroy(settings));
                }
                let is_root = settings.login.user.as_str() == "root";
                if !is_root {
                    self.grants.extend(zfs::admission::grants(settings));
                }
                if let Datasets::Tagged { tag, .. } = &settings.datasets {
                    self.programs.insert("planb");
                    self.asked.insert(zfs::command::ask(tag));
                    let granted = (!is_root).then(|| zfs::admission::granted(settings));
                    self.grants_on_kept.extend(granted);
                }
            }
            Transport::Exec(_) => return Err(Error::NotSsh { fileset: name.clone() }),
        }
        Ok(())
    }

    /// sudo's rules, in an unquoted here-document: only these characters mean something in one, and no pattern has another.
    pub fn rules(&self, user: &str) -> Option<String> {
        let rule = |program: &str, arguments: &String| {
            let arguments = arguments.replace('\\', r"\\").replace('$', r"\$");
            let arguments = arguments.replace(TAGGED, "$kept");
            format!("{user} ALL=(root) NOPASSWD: {program} ^{arguments}\\$")
        };
        let of_rsync = self.rsync_rules.iter().map(|rule_of| rule("$rsync", rule_of));
        // A number sign begins a comment.
        let of_zfs = self.zfs_rules.iter().map(|rule_of| rule(ZFS, &rule_of.replace('#', r"\#")));
        let rules: Vec<String> = of_rsync.chain(of_zfs).collect();
        (!rules.is_empty()).then(|| rules.join("\n"))
    }
}
