-- Every run that ended. Times are nanoseconds since 1970-01-01 UTC: datetime(started / 1000000000, 'unixepoch').
CREATE TABLE run (
    id                TEXT NOT NULL PRIMARY KEY,
    fileset           TEXT NOT NULL,
    fileset_group     TEXT,
    tags              TEXT NOT NULL,    -- a JSON array of strings
    trigger           TEXT NOT NULL,    -- timer, manual, retry
    started           INTEGER NOT NULL,
    finished          INTEGER,          -- absent where nobody saw the end
    result            TEXT NOT NULL,    -- success, deferred, failure, timeout, interrupted, killed
    error             TEXT,
    exit_code         INTEGER,
    snapshot          TEXT,
    dataset           TEXT NOT NULL,
    path              TEXT,
    files_total       INTEGER,
    bytes_total       INTEGER,
    files_transferred INTEGER,
    bytes_transferred INTEGER,
    destroyed         TEXT NOT NULL     -- a JSON array of strings
) STRICT;

CREATE INDEX run_by_fileset ON run (fileset, started);
CREATE INDEX run_by_time ON run (started);
