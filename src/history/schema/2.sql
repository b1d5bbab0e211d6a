-- What `planb list` asks of each fileset is answered from an index alone, however long the history: the last successes
-- with their durations.
CREATE INDEX run_success ON run (fileset, started, finished) WHERE result = 'success';
