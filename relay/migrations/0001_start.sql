-- People, by the name as typed and by its folded key.
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
);

-- Signed-in clients. The token itself is nowhere; its SHA-256 finds the session.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    used_at_ms INTEGER NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account);

-- One row: `account` wants `buddy` in the list. Both rows: it is mutual.
CREATE TABLE buddies (
    account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    buddy INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (account, buddy)
) WITHOUT ROWID;
CREATE INDEX buddies_by_buddy ON buddies (buddy, account);

-- `low` and `high` are the two accounts by rising id: one conversation is one range of the index.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    low INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    high INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    sender INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    text TEXT NOT NULL,
    sent_at_ms INTEGER NOT NULL,
    UNIQUE (sender, client_id)
);
CREATE INDEX messages_by_conversation ON messages (low, high, id);

-- Calls on now, so that they outlive a restart of the relay.
CREATE TABLE calls (
    id TEXT NOT NULL PRIMARY KEY,
    next_peer INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members (
    call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    peer INTEGER NOT NULL,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    audio INTEGER NOT NULL,
    video INTEGER NOT NULL,
    PRIMARY KEY (call, peer)
) WITHOUT ROWID;
CREATE INDEX members_by_session ON members (session);

-- Accounts changed by the admin command, for the running relay to notice.
CREATE TABLE admin_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL
);
