-- What every channel needs: settings and sealed credentials of devices, fallback, do-not-contact, replies and reactions.

-- The fields that a channel asks for and that may be shown, as JSON. `secret` holds the others, sealed.
ALTER TABLE devices ADD COLUMN config TEXT NOT NULL DEFAULT '{}';

-- How long a message with attachments may still arrive; 1,260,000 is twenty minutes and a margin, what a Mac may take.
ALTER TABLE devices ADD COLUMN files_arrival_ms BIGINT NOT NULL DEFAULT 1260000;

-- The line that texts whoever is not on iMessage, and whether it also does so for what failed otherwise.
ALTER TABLE workspaces ADD COLUMN fallback_enabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN fallback_line_id TEXT;
ALTER TABLE workspaces ADD COLUMN send_fallback INTEGER NOT NULL DEFAULT 0;

-- A line that was deleted stays for the messages that name it.
ALTER TABLE lines ADD COLUMN deleted_at BIGINT;

-- Whether the caller named the line; if not, the message may move to another while nobody has talked to the person.
ALTER TABLE messages ADD COLUMN line_asked INTEGER NOT NULL DEFAULT 0;
-- Of e-mails only.
ALTER TABLE messages ADD COLUMN subject TEXT;
ALTER TABLE messages ADD COLUMN html TEXT;
-- Of what was received: the message of ours that it answers, as far as that is known.
ALTER TABLE messages ADD COLUMN reply_to TEXT;
-- Replies of a workspace, newest first.
CREATE INDEX messages_received ON messages (workspace_id, created_at, id) WHERE direction = 'received';

-- When the person was last seen to be writing; null when not.
ALTER TABLE conversations ADD COLUMN typing_at BIGINT;

-- Addresses that nothing is sent to. The primary key serves the look at accept and the one at the hand-over.
CREATE TABLE do_not_contact (
    workspace_id  TEXT NOT NULL,
    address       TEXT NOT NULL,
    id            TEXT NOT NULL UNIQUE,
    reason        TEXT,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, address)
);
CREATE INDEX do_not_contact_newest ON do_not_contact (workspace_id, created_at, id);

-- What people reacted with: one row for each person and message, the last one counts.
CREATE TABLE reactions (
    message_id    TEXT NOT NULL,
    address       TEXT NOT NULL,
    workspace_id  TEXT NOT NULL,
    kind          TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (message_id, address, kind)
);

-- A key of the server, where none is set and no folder is shared: it seals credentials against whoever sees a column, not
-- against whoever has the whole database.
CREATE TABLE server_keys (
    id      TEXT PRIMARY KEY,
    secret  TEXT NOT NULL
);
