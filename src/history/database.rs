//! The database: its file, its versions, its damages.
//!
//! It keeps SQLite's rollback journal rather than a write-ahead log. `planb list` is for people who may read the file
//! and write nothing near it; a write-ahead log's reader must be able to make the `-shm` file beside it, a rollback
//! journal's reader needs the file alone. A run writes one row in its life: there is no concurrency to win back.

use super::file;
use super::notice::Notice;
use crate::host::lock::Lock;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

/// The steps from nothing to now; a file at version n has had the first n. Never change one that was released.
pub(super) const MIGRATIONS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// How long to wait for others who write. All of a host's runs may end in one moment; each writes for milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open history.
#[derive(Debug)]
pub struct History {
    pub(super) db: Connection,
    path: PathBuf,
    identity: Option<Identity>,
    new: bool,
}

/// Which file it is, whatever it is called by now: device and inode.
type Identity = (u64, u64);

/// The history could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to make {}", .path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("failed to {doing} {}", .path.display())]
    Sqlite { doing: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error("{} is damaged; the next run as root moves it aside and begins a new one", .path.display())]
    Damaged { path: PathBuf, identity: Option<Identity>, source: rusqlite::Error },
    #[error(
        "{} is at version {found}, this PlanB knows versions up to {}: it is left as it is until PlanB is upgraded",
        .path.display(), MIGRATIONS.len()
    )]
    Newer { path: PathBuf, found: i64 },
    #[error("{} is at version {found}, older than this PlanB's {}: the next run brings it up to date", .path.display(), MIGRATIONS.len())]
    Older { path: PathBuf, found: i64 },
    #[error("failed to move the damaged {} aside", .path.display())]
    SetAside { path: PathBuf, source: io::Error },
    #[error("{} was replaced again and again while it was written", .path.display())]
    Unsettled { path: PathBuf },
}

impl Error {
    /// Whether the file itself is bad, so that only another one helps.
    pub(super) const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// The damaged file, where it is known.
    pub(super) const fn damaged_file(&self) -> Option<Identity> {
        if let Self::Damaged { identity, .. } = self { *identity } else { None }
    }

    /// Whether somebody who may write could make it readable: a journal to play back, a version to bring up.
    fn wants_a_writer(&self) -> bool {
        match self {
            Self::Older { .. } => true,
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
            ),
            _ => false,
        }
    }
}

impl History {
    /// Opens the history for reading and writing; makes it where it is missing, and brings it up to date.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let made = |source| Error::Make { path: path.to_owned(), source };
        if let Some(dir) = path.parent() {
            file::directory(dir).map_err(made)?;
        }
        // SQLite would make it readable for everybody; and its journals take after it.
        let create = || match file::create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(made(error)),
            _ => Ok(()),
        };
        create()?;
        let mut history = match Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            // Somebody moved it aside just now.
            Err(_) if !path.exists() => {
                create()?;
                Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?
            }
            other => other?,
        };
        history.migrate(MIGRATIONS.len())?;
        history.recognise()?;
        Ok(history)
    }

    /// Opens the history for reading. One that is missing, or not begun, is empty.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let readable = || {
            let history = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            match history.version()? {
                0 => Self::nothing(path),
                found if !is_current(found) => Err(Error::Older { path: path.to_owned(), found }),
                _ => history.recognise().map(|()| history),
            }
        };
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::nothing(path),
            _ => match readable() {
                Err(error) if error.wants_a_writer() => Self::open(path).map_err(|_| error),
                other => other,
            },
        }
    }

    fn nothing(path: &Path) -> Result<Self, Error> {
        let db = Connection::open_in_memory().map_err(|source| Error::Sqlite {
            doing: "open",
            path: path.to_owned(),
            source,
        })?;
        let mut history = Self { db, path: path.to_owned(), identity: None, new: false };
        history.migrate(MIGRATIONS.len())?;
        Ok(history)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        // Looked at before it is opened: should it be replaced just now, we take ours for the replaced one and look again.
        let identity = identity(path);
        let failed = |source| failure("open", path, identity, source);
        let db =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        db.busy_timeout(PATIENCE).map_err(failed)?;
        // The journal's removal is the commit: its directory is synced too.
        db.pragma_update(None, "synchronous", "EXTRA").map_err(failed)?;
        Ok(Self { db, path: path.to_owned(), identity, new: false })
    }

    fn version(&self) -> Result<i64, Error> {
        let found = self
            .db
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|source| self.failure("open", source))?;
        if found > i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX) {
            return Err(Error::Newer { path: self.path.clone(), found });
        }
        Ok(found)
    }

    /// Brings the file to version `to`, all steps or none.
    fn migrate(&mut self, to: usize) -> Result<(), Error> {
        // Without a lock first: every run comes by here, and hardly one has anything to do.
        if is_at(self.version()?, to) {
            return Ok(());
        }
        let transaction = self.begin()?;
        let found = self.version()?;
        let failed = |source| self.stranger("bring up to date", source);
        for step in MIGRATIONS.iter().take(to).skip(usize::try_from(found).unwrap_or(0)) {
            transaction.execute_batch(step).map_err(failed)?;
        }
        let version = i64::try_from(to).unwrap_or(i64::MAX);
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        self.new = found == 0;
        Ok(())
    }

    /// Makes sure that this is a history at all and not a database of something else.
    fn recognise(&self) -> Result<(), Error> {
        self.db
            .prepare(&super::query::every_column())
            .map(drop)
            .map_err(|source| self.stranger("read", source))
    }

    /// A failure of a statement that fits every history: where a table or a column is missing, or there already, the
    /// file is something else.
    fn stranger(&self, doing: &'static str, source: rusqlite::Error) -> Error {
        match source {
            rusqlite::Error::SqlInputError { .. } => {
                Error::Damaged { path: self.path.clone(), identity: self.identity, source }
            }
            source => self.failure(doing, source),
        }
    }

    /// A transaction that has the right to write from its begin on, so that it waits there and fails nowhere later.
    pub(super) fn begin(&self) -> Result<Transaction<'_>, Error> {
        Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)
            .map_err(|source| self.failure("write", source))
    }

    pub(super) fn failure(&self, doing: &'static str, source: rusqlite::Error) -> Error {
        failure(doing, &self.path, self.identity, source)
    }

    /// Whether this call made the file's tables.
    pub(super) const fn is_new(&self) -> bool {
        self.new
    }

    /// Whether what we opened is still what others find.
    pub(super) fn is_in_place(&self) -> bool {
        self.identity.is_some() && identity(&self.path) == self.identity
    }

    /// Moves this damaged history aside.
    pub(super) fn set_aside(self, now: OffsetDateTime, why: &Error) -> Result<Option<Notice>, Error> {
        let Self { db, path, identity, .. } = self;
        drop(db);
        set_aside(&path, identity, now, why)
    }
}

fn is_at(found: i64, version: usize) -> bool {
    usize::try_from(found) == Ok(version)
}

fn is_current(found: i64) -> bool {
    is_at(found, MIGRATIONS.len())
}

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

fn failure(doing: &'static str, path: &Path, identity: Option<Identity>, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged { path, identity, source }
        }
        _ => Error::Sqlite { doing, path, source },
    }
}

/// Moves a damaged database and its journals aside, out of everybody's way and with nothing thrown away.
///
/// `None` when somebody else already did: the file that is there now is not the one that was found damaged.
pub(super) fn set_aside(
    path: &Path,
    damaged: Option<Identity>,
    now: OffsetDateTime,
    why: &Error,
) -> Result<Option<Notice>, Error> {
    let failed = |source| Error::SetAside { path: path.to_owned(), source };
    let _lock = Lock::take(&path.with_extension("lock")).map_err(failed)?;
    if damaged.is_none() || identity(path) != damaged {
        return Ok(None);
    }
    let kept = aside(path, now);
    // The journals first: one that stayed behind would be played into the new database.
    for suffix in ["-journal", "-wal", "-shm"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&kept, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    fs::rename(path, &kept).map_err(failed)?;
    let why = std::error::Error::source(why).unwrap_or(why).to_string();
    Ok(Some(Notice::SetAside { path: path.to_owned(), kept, why }))
}

/// Where a bad file is kept: `NAME.corrupt-20260102T030405Z`, with a number behind it should that exist.
pub(super) fn aside(path: &Path, now: OffsetDateTime) -> PathBuf {
    let stamp = format_description!("[year][month][day]T[hour][minute][second]Z");
    let now = now.to_offset(time::UtcOffset::UTC).format(&stamp).unwrap_or_else(|_| "unknown".into());
    let kept = with_suffix(path, &format!(".corrupt-{now}"));
    (1..1000)
        .map(|n| if n == 1 { kept.clone() } else { with_suffix(&kept, &format!(".{n}")) })
        .find(|candidate| fs::symlink_metadata(candidate).is_err())
        .unwrap_or(kept)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}
