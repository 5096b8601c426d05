-- Whether a peer shares a screen or a window.
ALTER TABLE members ADD COLUMN screen INTEGER NOT NULL DEFAULT 0;
