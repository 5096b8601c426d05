-- What a person's sessions are called when their owner looks at them; the token stays known to the device alone. Sessions of before get one
-- here, and when they began is not known.
ALTER TABLE sessions ADD COLUMN public TEXT NOT NULL DEFAULT '';
UPDATE sessions SET public = lower(hex(randomblob(16)));
CREATE UNIQUE INDEX sessions_by_public ON sessions (public);
ALTER TABLE sessions ADD COLUMN signed_in_at_ms INTEGER;

-- Invitation codes that still count. The code itself is nowhere; its SHA-256 finds it.
CREATE TABLE codes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code BLOB NOT NULL UNIQUE,
    uses_left INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
);
