-- Files: what callers upload to be sent, and what comes in with messages.

-- `content` stands last, so that the rest of a row is read without it. `keep_until` is when to ask whether the file may go;
-- null: never.
CREATE TABLE files (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL REFERENCES workspaces (id),
    name          TEXT NOT NULL,
    media_type    TEXT NOT NULL,
    size          BIGINT NOT NULL,
    origin        TEXT NOT NULL CHECK (origin IN ('upload', 'received')),
    keep_until    BIGINT,
    created_at    BIGINT NOT NULL,
    content       /*pg BYTEA*/ NOT NULL
);
CREATE INDEX files_to_sweep ON files (keep_until) WHERE keep_until IS NOT NULL;

-- Which messages are sent with a file: it is kept until they have ended, and a while longer.
CREATE TABLE file_uses (
    file_id       TEXT NOT NULL,
    message_id    TEXT NOT NULL,
    workspace_id  TEXT NOT NULL,
    PRIMARY KEY (file_id, message_id)
);

-- Files that came in with a message and are fetched from its device afterwards; `ref` means something to the channel alone.
CREATE TABLE inbound_files (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL,
    message_id    TEXT NOT NULL,
    device_id     TEXT NOT NULL,
    place         INTEGER NOT NULL,
    ref           TEXT NOT NULL,
    name          TEXT,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'stored', 'failed')),
    tries         INTEGER NOT NULL,
    next_at       BIGINT NOT NULL,
    file_id       TEXT,
    created_at    BIGINT NOT NULL
);
CREATE INDEX inbound_files_due ON inbound_files (next_at) WHERE state = 'waiting';
CREATE INDEX inbound_files_of_message ON inbound_files (message_id, place);
CREATE INDEX inbound_files_of_file ON inbound_files (file_id) WHERE file_id IS NOT NULL;
