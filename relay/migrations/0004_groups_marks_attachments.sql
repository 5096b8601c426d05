-- People who write to each other together. `maker` and `client_id` make asking for one safe to repeat; the owner is the member with the
-- lowest `place`.
CREATE TABLE chat_groups (
    id TEXT NOT NULL PRIMARY KEY,
    title TEXT NOT NULL,
    maker BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    made_at_ms BIGINT NOT NULL,
    UNIQUE (maker, client_id)
);

-- `after_id`: only messages after this one are theirs to read. The marks: how far they have come, and how far the others know of.
CREATE TABLE group_members (
    chat_group TEXT NOT NULL REFERENCES chat_groups (id) ON DELETE CASCADE,
    account BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    after_id BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    read_to BIGINT NOT NULL,
    shown_delivered BIGINT NOT NULL,
    shown_read BIGINT NOT NULL,
    PRIMARY KEY (chat_group, account)
);
CREATE INDEX group_members_by_account ON group_members (account);

-- A message to a group has its sender as `low` and as `high`. What was deleted keeps its place and nothing of what it said.
ALTER TABLE messages ADD COLUMN chat_group TEXT REFERENCES chat_groups (id) ON DELETE CASCADE;
ALTER TABLE messages ADD COLUMN html TEXT;
ALTER TABLE messages ADD COLUMN edited_at_ms BIGINT;
ALTER TABLE messages ADD COLUMN deleted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN attached BIGINT NOT NULL DEFAULT 0;
CREATE INDEX messages_by_group ON messages (chat_group, id);

-- A conversation of two as `account` has it: the newest message, how far they have come, and how far the other knows of.
CREATE TABLE conversations (
    account BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    other BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    last BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    read_to BIGINT NOT NULL,
    shown_delivered BIGINT NOT NULL,
    shown_read BIGINT NOT NULL,
    PRIMARY KEY (account, other)
);
CREATE INDEX conversations_by_other ON conversations (other);

-- What was written before there were marks counts as read.
INSERT INTO conversations (account, other, last, delivered, read_to, shown_delivered, shown_read)
SELECT low, high, MAX(id), MAX(id), MAX(id), MAX(id), MAX(id) FROM messages WHERE low <> high GROUP BY low, high;
INSERT INTO conversations (account, other, last, delivered, read_to, shown_delivered, shown_read)
SELECT high, low, MAX(id), MAX(id), MAX(id), MAX(id), MAX(id) FROM messages WHERE low <> high GROUP BY low, high;

-- Contents of files that are kept, each once, in the folder `attachments` under the SHA-256 of its bytes.
CREATE TABLE contents (
    hash TEXT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL
);

-- Uploads. Without a hash the content is past its days and gone.
CREATE TABLE attachments (
    id TEXT NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    hash TEXT,
    size BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    made_at_ms BIGINT NOT NULL
);
CREATE INDEX attachments_by_account ON attachments (account);
CREATE INDEX attachments_by_hash ON attachments (hash);

-- What goes along with which message: an attachment's references.
CREATE TABLE message_attachments (
    message BIGINT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    attachment TEXT NOT NULL REFERENCES attachments (id) ON DELETE CASCADE,
    PRIMARY KEY (message, place)
);
CREATE INDEX message_attachments_by_attachment ON message_attachments (attachment);
