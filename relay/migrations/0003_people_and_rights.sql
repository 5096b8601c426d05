-- How people want to be seen, and when they were last there as far as their buddies know.
CREATE TABLE presences (
    account BIGINT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    choice TEXT NOT NULL,
    line TEXT NOT NULL,
    seen_at_ms BIGINT
);

-- `account` wants nothing of `blocked`, who sees it as offline since `seen_at_ms`.
CREATE TABLE blocks (
    account BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    blocked BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    seen_at_ms BIGINT,
    PRIMARY KEY (account, blocked)
);
CREATE INDEX blocks_by_blocked ON blocks (blocked);

-- Rings that came to nothing, one row for each who rang.
CREATE TABLE missed (
    account BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    caller BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    at_ms BIGINT NOT NULL,
    rings BIGINT NOT NULL,
    PRIMARY KEY (account, caller)
);
CREATE INDEX missed_by_caller ON missed (caller);

-- What people wrote to whoever runs the relay, until it was dealt with.
CREATE TABLE reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reporter BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    account BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX reports_by_reporter ON reports (reporter);
CREATE INDEX reports_by_account ON reports (account);

-- Written by someone whom the other had blocked: its sender alone sees it.
ALTER TABLE messages ADD COLUMN withheld BIGINT NOT NULL DEFAULT 0;

-- What the owner of a call has said.
ALTER TABLE calls ADD COLUMN locked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN muted BIGINT NOT NULL DEFAULT 0;

-- Who was removed from a call and stays out unless its owner rings them.
CREATE TABLE removed (
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    account BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (call, account)
);
CREATE INDEX removed_by_account ON removed (account);

-- Links into a call, one of each peer. The link itself is nowhere; its SHA-256 finds the call.
CREATE TABLE links (
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    peer BIGINT NOT NULL,
    link BLOB NOT NULL UNIQUE,
    PRIMARY KEY (call, peer)
);
