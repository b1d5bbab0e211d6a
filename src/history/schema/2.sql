-- What `planb list` asks of each fileset is answered from an index alone, however long the history: the last successes
-- with their durations, and the failures since.
CREATE INDEX run_success ON run (fileset, started, finished) WHERE result = 'success';
CREATE INDEX run_failure ON run (fileset, started, result) WHERE result IN ('failure', 'timeout', 'killed');
