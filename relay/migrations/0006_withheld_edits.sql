-- What a message says since its sender was blocked by the one it is for, and changed it: they alone see that, the other what it said before.
ALTER TABLE messages ADD COLUMN own_text TEXT;
ALTER TABLE messages ADD COLUMN own_html TEXT;
ALTER TABLE messages ADD COLUMN own_edited_at_ms BIGINT;
