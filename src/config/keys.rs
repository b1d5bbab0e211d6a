//! Every key there is: where it may be written, what it looks like, and the type it is read as.
//!
//! Reading, merging, complaining, suggesting and showing all go by this table; a new key is one more entry here and
//! one more field in the type it ends up in.

mod values;

use super::diagnostic::Diagnostic;
use super::reader::ENOUGH;
use super::settings::{Log, StorageType};
use super::value::{self, Fault, Read, Value, flag, path, word, word_or_none, words};
use super::written::Layer;
use super::zones::Zones;
use crate::fileset::command::CommandLine;
use crate::fileset::hours::BlacklistHours;
use crate::fileset::key::KeyRule;
use crate::fileset::name::{DatasetName, Group, StorageName, Tag};
use crate::fileset::quantity::{Percent, Size, Span};
use crate::fileset::retention::Retention;
use crate::fileset::schedule::Schedule;
use crate::fileset::zfs::Filesystem;
use crate::fileset::zone::Zone;
use crate::transport::exec::settings::{ExtraPath, Snapshots};
use crate::transport::rsync::settings::{Ionice, Metadata, Vanished};
use crate::transport::rsync::words::{DaemonSource, Flag, Pattern, RemoteProgram, SourcePath};
use crate::transport::ssh::words::{Host, Jump, SshOption, User};
use crate::transport::zfs::selection::{Exclude, Selected};
use crate::transport::zfs::settings::Raw;
use std::path::PathBuf;
use values::{bwlimit, command, datasets, hours, includes, key_rule, raw, tagged, zone};

/// The kinds of table a key can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The top of planb.toml.
    Host,
    /// `[storage.NAME]`.
    Storage,
    /// The top of a drop-in; `[defaults]` and `[group.NAME]`.
    Fileset,
    /// `[rsync]` of any of these.
    Rsync,
    /// `[zfs]` of any of these.
    Zfs,
    /// `[exec]` of a drop-in.
    Exec,
    /// `[guard]` of any of these.
    Guard,
}

impl Table {
    /// What stands in its brackets, of one below a fileset, defaults or a group.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsync => "rsync",
            Self::Zfs => "zfs",
            Self::Exec => "exec",
            Self::Guard => "guard",
            Self::Host | Self::Storage | Self::Fileset => "",
        }
    }

    /// The table of that name below a fileset, defaults or a group.
    pub fn below(name: &str) -> Option<Self> {
        [Self::Rsync, Self::Zfs, Self::Exec, Self::Guard].into_iter().find(|table| table.name() == name)
    }

    /// Whether it says how data comes: a fileset has exactly one of these.
    pub fn is_transport(self) -> bool {
        matches!(self, Self::Rsync | Self::Zfs | Self::Exec)
    }
}

/// The kinds of source that an `[rsync]` table can have. A set of them is the sum of their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ssh = 1,
    Daemon = 2,
    Local = 4,
}

const NONE: u8 = 0;
const SSH: u8 = Kind::Ssh as u8;
const DAEMON: u8 = Kind::Daemon as u8;
const HOSTS: u8 = SSH | DAEMON;
const ALL: u8 = HOSTS | Kind::Local as u8;

/// One key, read as a `T`.
pub struct Key<T: 'static> {
    pub table: Table,
    pub name: &'static str,
    /// A good value as it is written.
    example: &'static str,
    /// The kinds of source that this key means something for.
    for_sources: u8,
    /// The kinds of source that take it from defaults and groups. None: only a fileset itself can say it.
    inherited: u8,
    read: fn(&Value, &Zones) -> Read<T>,
}

/// What can be done with a key without knowing its type.
pub trait AnyKey: Sync {
    fn id(&self) -> (Table, &'static str);
    fn is_for(&self, kind: Kind) -> bool;
    fn is_inherited(&self, kind: Kind) -> bool;
    fn is_shared(&self) -> bool;
    /// Reads the value only to find its faults.
    fn check(&self, layer: &Layer, value: &Value, zones: &Zones) -> Vec<Diagnostic>;
}

impl<T> AnyKey for Key<T> {
    fn id(&self) -> (Table, &'static str) {
        (self.table, self.name)
    }

    fn is_for(&self, kind: Kind) -> bool {
        self.for_sources & kind as u8 != 0
    }

    fn is_inherited(&self, kind: Kind) -> bool {
        self.inherited & kind as u8 != 0
    }

    fn is_shared(&self) -> bool {
        self.inherited != NONE
    }

    fn check(&self, layer: &Layer, value: &Value, zones: &Zones) -> Vec<Diagnostic> {
        self.read(layer, value, zones).err().unwrap_or_default()
    }
}

impl<T> Key<T> {
    const fn new(
        table: Table,
        name: &'static str,
        example: &'static str,
        read: fn(&Value, &Zones) -> Read<T>,
    ) -> Self {
        Self { table, name, example, for_sources: ALL, inherited: ALL, read }
    }

    /// Only a fileset itself can say this.
    const fn own(
        table: Table,
        name: &'static str,
        example: &'static str,
        read: fn(&Value, &Zones) -> Read<T>,
    ) -> Self {
        Self { table, name, example, for_sources: ALL, inherited: NONE, read }
    }

    /// An `[rsync]` key that means something for some kinds of source only.
    const fn rsync(
        for_sources: u8,
        inherited: u8,
        name: &'static str,
        example: &'static str,
        read: fn(&Value, &Zones) -> Read<T>,
    ) -> Self {
        Self { table: Table::Rsync, name, example, for_sources, inherited, read }
    }

    /// Reads the value that `layer` has for this key; every fault is cited there.
    pub fn read(&self, layer: &Layer, value: &Value, zones: &Zones) -> Result<T, Vec<Diagnostic>> {
        (self.read)(value, zones).map_err(|faults| {
            let cite = |fault| match fault {
                Fault::Shape { span, wanted, found } => {
                    let Self { name, example, .. } = self;
                    let message = format!("`{name}` must be {wanted}, not {found}: write {name} = {example}");
                    layer.document.cite(span, message)
                }
                Fault::Word { span, message } => layer.document.cite(span, message),
            };
            let untold = faults.len().saturating_sub(ENOUGH);
            let mut told: Vec<Diagnostic> = faults.into_iter().take(ENOUGH).map(cite).collect();
            if untold > 0 {
                let message = format!("there are {untold} more errors in `{}`", self.name);
                told.push(Diagnostic::file(&layer.document.path, message));
            }
            told
        })
    }
}

macro_rules! keys {
    ($($(#[$doc:meta])* $constant:ident: $type:ty = $key:expr;)*) => {
        $($(#[$doc])* pub const $constant: Key<$type> = $key;)*
        /// All of them, in the order in which they are shown.
        pub static KEYS: &[&dyn AnyKey] = &[$(&$constant),*];
    };
}

keys! {
    SLOTS: u16 = Key::own(Table::Host, "slots", "10", |v, _| value::number(v, 1));
    SLOTS_PER_SOURCE: u16 = Key::own(Table::Host, "slots-per-source", "1", |v, _| value::number(v, 1));
    LOG: Log = Key::own(Table::Host, "log", "\"journal\"", |v, _| value::choice(v, &Log::WORDS));

    TYPE: StorageType = Key::own(Table::Storage, "type", "\"directory\"", |v, _| value::choice(v, &StorageType::WORDS));
    PATH: PathBuf = Key::own(Table::Storage, "path", "\"/srv/backups\"", path);
    PARENT: Filesystem = Key::own(Table::Storage, "parent", "\"tank/BACKUP\"", word);
    STORAGE_ENCRYPTION: bool = Key::own(Table::Storage, "encryption", "true", flag);
    STORAGE_KEY: KeyRule = Key::own(Table::Storage, "key", "\"credential\"", key_rule);

    GROUP: Group = Key::own(Table::Fileset, "group", "\"acme\"", word);
    TAGS: Vec<Tag> = Key::new(Table::Fileset, "tags", "[\"offsite\"]", words);
    ENABLED: bool = Key::new(Table::Fileset, "enabled", "true", flag);
    STORAGE: StorageName = Key::new(Table::Fileset, "storage", "\"main\"", word);
    DATASET: DatasetName = Key::own(Table::Fileset, "dataset", "\"acme-web1\"", word);
    ENCRYPTION: bool = Key::new(Table::Fileset, "encryption", "true", flag);
    KEY: KeyRule = Key::new(Table::Fileset, "key", "\"credential\"", key_rule);
    RETAIN: Retention = Key::new(Table::Fileset, "retain", "\"16d,4w,12m,2y\"", word);
    SCHEDULE: Schedule = Key::new(Table::Fileset, "schedule", "\"daily\"", word);
    BLACKLIST_HOURS: BlacklistHours = Key::new(Table::Fileset, "blacklist-hours", "\"9-17\"", hours);
    TIMEZONE: Zone = Key::new(Table::Fileset, "timezone", "\"Europe/Amsterdam\"", zone);
    RETRY: Span = Key::new(Table::Fileset, "retry", "\"1h\"", |v, z| value::span_from(v, z, Span::from_secs(60)));
    TIMEOUT: Span = Key::new(Table::Fileset, "timeout", "\"24h\"", |v, z| value::span_from(v, z, Span::from_secs(60)));

    ZFS_HOST: Host = Key::own(Table::Zfs, "host", "\"web1.acme.example\"", word);
    DATASETS: Vec<Selected> = Key::own(Table::Zfs, "datasets", "[\"rpool/data\", \"rpool/vm/disk1:disk1\"]", datasets);
    DATASETS_FROM: Tag = Key::own(Table::Zfs, "datasets-from", "\"tag:offsite\"", tagged);
    RECURSIVE: bool = Key::own(Table::Zfs, "recursive", "true", flag);
    EXCLUDE_DATASETS: Vec<Exclude> = Key::own(Table::Zfs, "exclude", "[\"rpool/data/*/tmp\"]", words);
    RAW: Raw = Key::new(Table::Zfs, "raw", "\"auto\"", raw);
    COMPRESSED: bool = Key::new(Table::Zfs, "compressed", "true", flag);
    LARGE_BLOCK: bool = Key::new(Table::Zfs, "large-block", "true", flag);
    ZFS_BWLIMIT: Option<Size> = Key::new(Table::Zfs, "bwlimit", "\"10M\"", bwlimit);
    SOURCE_KEEP: u16 = Key::new(Table::Zfs, "source-keep", "3", |v, _| value::number(v, 1));
    ZFS_USER: User = Key::new(Table::Zfs, "user", "\"remotebackup\"", word);
    ZFS_PORT: u16 = Key::new(Table::Zfs, "port", "22", |v, _| value::number(v, 1));
    ZFS_IDENTITY: PathBuf = Key::new(Table::Zfs, "identity", "\"/etc/planb/id_ed25519\"", path);
    ZFS_JUMP: Jump = Key::new(Table::Zfs, "jump", "\"me@bastion.example\"", word);
    ZFS_SSH_OPTIONS: Vec<SshOption> = Key::new(Table::Zfs, "ssh-options", "[\"Compression=yes\"]", words);
    ZFS_SUDO: bool = Key::new(Table::Zfs, "sudo", "true", flag);

    // Behind those of [zfs] with the same names: whoever writes one where no table says which is told of these.
    HOST: Host = Key::rsync(HOSTS, NONE, "host", "\"web1.acme.example\"", word);
    DAEMON_MODE: bool = Key::rsync(ALL, NONE, "daemon", "true", flag);
    SOURCE: SourcePath = Key::rsync(ALL, NONE, "source", "\"/\"", word);
    INCLUDE: Vec<Pattern> = Key::rsync(ALL, NONE, "include", "[\"/etc\", \"/home\"]", includes);
    EXCLUDE: Vec<Pattern> = Key::rsync(ALL, ALL, "exclude", "[\"*.cache\"]", words);
    // An account of one kind of source is none of the other: what defaults say is the ssh login.
    USER: User = Key::rsync(HOSTS, SSH, "user", "\"remotebackup\"", word);
    PORT: u16 = Key::rsync(HOSTS, SSH, "port", "22", |v, _| value::number(v, 1));
    IDENTITY: PathBuf = Key::rsync(SSH, SSH, "identity", "\"/etc/planb/id_ed25519\"", path);
    JUMP: Jump = Key::rsync(SSH, SSH, "jump", "\"me@bastion.example\"", word);
    SSH_OPTIONS: Vec<SshOption> = Key::rsync(SSH, SSH, "ssh-options", "[\"Compression=yes\"]", words);
    PASSWORD_FILE: PathBuf = Key::rsync(DAEMON, DAEMON, "password-file", "\"/etc/planb/secrets/nas1\"", path);
    SUDO: bool = Key::rsync(SSH, SSH, "sudo", "true", flag);
    IONICE: Ionice = Key::rsync(SSH, SSH, "ionice", "\"idle\"", |v, _| {
        value::choice(v, &[("idle", Ionice::Idle), ("best-effort", Ionice::BestEffort), ("none", Ionice::None)])
    });
    RSYNC_PATH: RemoteProgram = Key::rsync(SSH, SSH, "rsync-path", "\"rsync\"", word);
    DO_NOT_RUN: bool = Key::rsync(SSH, SSH, "do-not-run", "true", flag);
    BWLIMIT: Option<Size> = Key::rsync(ALL, ALL, "bwlimit", "\"10M\"", bwlimit);
    VANISHED: Vanished = Key::rsync(ALL, ALL, "vanished", "\"retry\"", |v, _| {
        value::choice(v, &[("retry", Vanished::Retry), ("accept", Vanished::Accept)])
    });
    METADATA: Metadata = Key::rsync(ALL, ALL, "metadata", "\"full\"", |v, _| {
        value::choice(v, &[("full", Metadata::Full), ("basic", Metadata::Basic)])
    });
    STALL_TIMEOUT: Span = Key::rsync(ALL, ALL, "stall-timeout", "\"10m\"", |v, z| {
        value::span_from(v, z, Span::from_secs(10))
    });
    FLAGS: Vec<Flag> = Key::rsync(ALL, ALL, "flags", "[\"--iconv=utf8,latin1\"]", words);

    COMMAND: CommandLine = Key::own(Table::Exec, "command", "[\"/usr/local/bin/my-transfer\"]", command);
    EXTRA_PATHS: Vec<ExtraPath> = Key::own(Table::Exec, "extra-paths", "[\"/srv/cache:rw\"]", words);
    SNAPSHOTS: Snapshots = Key::own(Table::Exec, "snapshots", "\"planb\"", |v, _| {
        value::choice(v, &[("planb", Snapshots::Planb), ("own", Snapshots::Own)])
    });

    MAX_SHRINK: Option<Percent> = Key::new(Table::Guard, "max-shrink", "\"50%\"", word_or_none);
    MIN_FREE: Option<Percent> = Key::new(Table::Guard, "min-free", "\"5%\"", word_or_none);
}

/// `source` again, as a daemon's source is written. Not in the table: it is the same key.
pub const DAEMON_SOURCE: Key<DaemonSource> = Key::rsync(DAEMON, NONE, "source", "\"module/path\"", word);

/// The key of that name in that table.
pub fn find(table: Table, name: &str) -> Option<&'static dyn AnyKey> {
    KEYS.iter().copied().find(|key| key.id() == (table, name))
}

/// The keys of a table, or of the part of it that defaults and groups may have.
pub fn names(table: Table, shared_only: bool) -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter(move |key| key.id().0 == table && (!shared_only || key.is_shared()))
        .map(|key| key.id().1)
}
