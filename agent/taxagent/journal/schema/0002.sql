-- Schema 2: which answer to a bureau's question a key gave; body = the first ChallengeAnswered event under it.

CREATE TABLE answer (
    principal TEXT NOT NULL,
    key       TEXT NOT NULL,
    body      BLOB NOT NULL,
    PRIMARY KEY (principal, key)
) WITHOUT ROWID;
