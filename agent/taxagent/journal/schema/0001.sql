-- Schema 1. Everything but `meta` and `event` is a projection: it can be made again from the events.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The journal itself. hash = SHA-256(hash of the row before + body); before row 1 stands SHA-256(journal_id).
CREATE TABLE event (
    seq       INTEGER PRIMARY KEY,
    job_id    TEXT,
    device_no TEXT,
    body      BLOB NOT NULL,
    hash      BLOB NOT NULL
);
CREATE INDEX event_job ON event (job_id) WHERE job_id IS NOT NULL;

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'rows of the journal are never changed'); END;

CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'rows of the journal are never deleted'); END;

CREATE TRIGGER event_no_gap BEFORE INSERT ON event
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event)
BEGIN SELECT RAISE(ABORT, 'rows of the journal have no gaps'); END;

-- One row a job; body = JSON of model.job.Job as the events made it.
CREATE TABLE job (
    job_id         TEXT PRIMARY KEY,
    device_no      TEXT NOT NULL,
    state          TEXT NOT NULL,
    ended          INTEGER NOT NULL,
    principal      TEXT NOT NULL,
    key            TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    accepted_ms    INTEGER NOT NULL,
    body           BLOB NOT NULL
);
CREATE UNIQUE INDEX job_key ON job (principal, key) WHERE key <> '';
CREATE INDEX job_live ON job (job_id) WHERE ended = 0;
CREATE INDEX job_device ON job (device_no, job_id);

-- What live jobs hold; a row goes when its job ends.
CREATE TABLE claim (
    device_no TEXT NOT NULL,
    grp       TEXT NOT NULL,
    period    TEXT NOT NULL,
    job_id    TEXT NOT NULL,
    PRIMARY KEY (device_no, grp, period)
) WITHOUT ROWID;

-- body = the TokenIssued event; redeemed_by = the job that it started.
CREATE TABLE token (
    sha256      TEXT PRIMARY KEY,
    body        BLOB NOT NULL,
    redeemed_by TEXT
) WITHOUT ROWID;

-- The record of an ended job: JSON.
CREATE TABLE record (
    job_id TEXT PRIMARY KEY,
    body   BLOB NOT NULL
);

-- Every password that was tried on a device, and what became of it last; body = JSON of model.device.TriedPassword.
CREATE TABLE password (
    device_no     TEXT NOT NULL,
    salted_sha256 TEXT NOT NULL,
    body          BLOB NOT NULL,
    PRIMARY KEY (device_no, salted_sha256)
) WITHOUT ROWID;
