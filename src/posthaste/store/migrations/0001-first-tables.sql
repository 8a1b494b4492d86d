-- The first schema, one text for SQLite and PostgreSQL.
-- Instants are integer milliseconds since the epoch (…_at), durations integer milliseconds (…_ms), JSON is text.
-- Flags are integers 0 and 1, because one text must serve both databases.
-- Every table carries workspace_id, and nothing spans workspaces.

CREATE TABLE workspaces (
    id                TEXT PRIMARY KEY,
    name              TEXT NOT NULL,
    region            TEXT NOT NULL,
    timezone          TEXT NOT NULL,
    is_sandbox        INTEGER NOT NULL,
    read_only_reason  TEXT,
    created_at        BIGINT NOT NULL
);

-- A key is stored as its SHA-256 and shown once; `hint` is its last four characters, for people.
CREATE TABLE api_keys (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL REFERENCES workspaces (id),
    digest        TEXT NOT NULL UNIQUE,
    hint          TEXT NOT NULL,
    name          TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);

-- The scarce thing: what one or more lines send through. Its row is the lock of everything that leaves through it.
CREATE TABLE devices (
    id               TEXT PRIMARY KEY,
    workspace_id     TEXT NOT NULL REFERENCES workspaces (id),
    channel          TEXT NOT NULL,
    url              TEXT NOT NULL,
    secret           TEXT NOT NULL,
    options          TEXT NOT NULL,
    hook_token       TEXT NOT NULL UNIQUE,
    state            TEXT NOT NULL CHECK (state IN ('up', 'down')),
    state_reason     TEXT,
    state_at         BIGINT NOT NULL,
    checked_at       BIGINT,
    failures         INTEGER NOT NULL,
    gap_ms           BIGINT NOT NULL,
    free_at          BIGINT NOT NULL,
    ready_at         BIGINT,
    in_flight        INTEGER NOT NULL,
    max_in_flight    INTEGER NOT NULL,
    check_gap_ms     BIGINT NOT NULL,
    check_free_at    BIGINT NOT NULL,
    arrival_ms       BIGINT NOT NULL,
    cursor           BIGINT NOT NULL,
    health_due_at    BIGINT NOT NULL,
    poll_due_at      BIGINT NOT NULL,
    created_at       BIGINT NOT NULL
);
-- Claim: free devices that have due work, oldest first. Idle devices are not in it.
CREATE INDEX devices_ready ON devices (ready_at) WHERE ready_at IS NOT NULL;

-- A sending identity. Its counts are those of its day, which ends at `usage_until`: a line whose count has reached its limit is
-- closed until then, without a job that opens it again.
CREATE TABLE lines (
    id                 TEXT PRIMARY KEY,
    workspace_id       TEXT NOT NULL REFERENCES workspaces (id),
    device_id          TEXT NOT NULL REFERENCES devices (id),
    message_type       TEXT NOT NULL,
    phone              TEXT,
    email              TEXT,
    first_name         TEXT,
    last_name          TEXT,
    is_active          INTEGER NOT NULL,
    timezone           TEXT NOT NULL,
    messages_per_day   INTEGER NOT NULL,
    new_per_day        INTEGER NOT NULL,
    checks_per_day     INTEGER NOT NULL,
    contact_gap_ms     BIGINT NOT NULL,
    contact_free_at    BIGINT NOT NULL,
    usage_until        BIGINT NOT NULL,
    usage_total        INTEGER NOT NULL,
    usage_new          INTEGER NOT NULL,
    usage_checks       INTEGER NOT NULL,
    chosen_at          BIGINT NOT NULL,
    chosen_total       INTEGER NOT NULL,
    chosen_new         INTEGER NOT NULL,
    created_at         BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL
);
CREATE INDEX lines_of_device ON lines (device_id);
-- Round robin: least recently chosen first.
CREATE INDEX lines_by_turn ON lines (workspace_id, message_type, chosen_at, id);

CREATE TABLE lists (
    id            TEXT PRIMARY KEY,
    workspace_id  TEXT NOT NULL REFERENCES workspaces (id),
    name          TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    UNIQUE (workspace_id, name)
);

CREATE TABLE leads (
    id                   TEXT PRIMARY KEY,
    workspace_id         TEXT NOT NULL REFERENCES workspaces (id),
    list_id              TEXT,
    first_name           TEXT,
    last_name            TEXT,
    phone                TEXT,
    email                TEXT,
    alt_phone_1          TEXT,
    alt_phone_2          TEXT,
    alt_phone_3          TEXT,
    alt_email_1          TEXT,
    alt_email_2          TEXT,
    alt_email_3          TEXT,
    source               TEXT NOT NULL,
    contact_owner_email  TEXT,
    ghl_contact_id       TEXT,
    ghl_location_id      TEXT,
    hs_contact_id        TEXT,
    hs_portal_id         TEXT,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
CREATE INDEX leads_by_ghl ON leads (workspace_id, ghl_contact_id) WHERE ghl_contact_id IS NOT NULL;
CREATE INDEX leads_by_hs ON leads (workspace_id, hs_contact_id) WHERE hs_contact_id IS NOT NULL;

-- One address, one lead: the primary key decides every race.
CREATE TABLE lead_addresses (
    workspace_id  TEXT NOT NULL,
    address       TEXT NOT NULL,
    lead_id       TEXT NOT NULL,
    PRIMARY KEY (workspace_id, address)
);
CREATE INDEX lead_addresses_of_lead ON lead_addresses (lead_id);

-- Other names and CRM ids under which a lead was presented; the first writer's stay on the lead.
CREATE TABLE lead_aliases (
    workspace_id  TEXT NOT NULL,
    lead_id       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    alias         TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (lead_id, kind, alias)
);

-- What passed between the workspace and one address: the line that talks with it, and whether anything was ever exchanged.
CREATE TABLE conversations (
    workspace_id  TEXT NOT NULL,
    address       TEXT NOT NULL,
    line_id       TEXT,
    opened_at     BIGINT,
    opened_by     TEXT,
    written_at    BIGINT,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, address)
);

CREATE TABLE messages (
    id                   TEXT PRIMARY KEY,
    workspace_id         TEXT NOT NULL,
    lead_id              TEXT NOT NULL,
    line_id              TEXT NOT NULL,
    direction            TEXT NOT NULL CHECK (direction IN ('sent', 'received')),
    message_type         TEXT NOT NULL,
    status               TEXT NOT NULL CHECK (status IN
        ('waiting', 'sending', 'sent', 'delivered', 'failed', 'fallback', 'cancelled', 'unknown', 'expired', 'blocked')),
    lane                 INTEGER NOT NULL,
    due_at               BIGINT NOT NULL,
    hold                 TEXT,
    expires_at           BIGINT NOT NULL,
    address              TEXT NOT NULL,
    addresses            TEXT NOT NULL,
    checked_addresses    TEXT,
    recipient_phone      TEXT,
    recipient_email      TEXT,
    recipient_name       TEXT,
    text                 TEXT NOT NULL,
    attempts             INTEGER NOT NULL,
    external_id          TEXT,
    code                 TEXT,
    error_message        TEXT,
    scheduled_at         BIGINT,
    valid_until          BIGINT,
    timezone             TEXT,
    window_start         INTEGER,
    window_end           INTEGER,
    days                 TEXT,
    batch_id             TEXT,
    send_fallback        INTEGER NOT NULL,
    fallback_of          TEXT,
    fallback_message_id  TEXT,
    attachments          TEXT,
    ghl_contact_id       TEXT,
    ghl_location_id      TEXT,
    hs_contact_id        TEXT,
    hs_portal_id         TEXT,
    sent_at              BIGINT,
    delivered_at         BIGINT,
    read_at              BIGINT,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
-- Claim: the first due messages of one line and lane. Messages scheduled for later stand behind `due_at <= now`.
CREATE INDEX messages_due ON messages (line_id, lane, due_at, id) WHERE status = 'waiting';
-- Expiring what waits on a line that no claim looks at.
CREATE INDEX messages_expiring ON messages (expires_at) WHERE status = 'waiting';
-- Re-laning and cancelling what waits for one person.
CREATE INDEX messages_waiting_for ON messages (workspace_id, address) WHERE status = 'waiting';
-- The list, newest first, and its filters.
CREATE INDEX messages_newest ON messages (workspace_id, created_at, id);
CREATE INDEX messages_of_lead ON messages (lead_id, created_at);
CREATE INDEX messages_of_batch ON messages (workspace_id, batch_id, created_at) WHERE batch_id IS NOT NULL;
-- Receipts still to come, looked for by polling after an outage.
CREATE INDEX messages_without_receipt ON messages (line_id, sent_at) WHERE status = 'sent';

-- One handing-over to a provider. `claimed`: surely not handed over. `handed`: perhaps. `done`: its outcome is known.
-- Whoever has `owner` holds the attempt until `lease_until`; an attempt without owner is looked at from `lease_until` on.
CREATE TABLE attempts (
    id             TEXT PRIMARY KEY,
    workspace_id   TEXT NOT NULL,
    message_id     TEXT NOT NULL,
    device_id      TEXT NOT NULL,
    line_id        TEXT NOT NULL,
    number         INTEGER NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('claimed', 'handed', 'done')),
    outcome        TEXT,
    detail         TEXT,
    owner          TEXT,
    lease_until    BIGINT NOT NULL,
    occupies       INTEGER NOT NULL,
    opened         INTEGER NOT NULL,
    usage_until    BIGINT NOT NULL,
    address        TEXT NOT NULL,
    target         TEXT,
    text           TEXT,
    cursor         BIGINT,
    external_id    TEXT,
    arrives_until  BIGINT,
    looks          INTEGER NOT NULL,
    claimed_at     BIGINT NOT NULL,
    handed_at      BIGINT,
    started_at     BIGINT,
    finished_at    BIGINT
);
CREATE INDEX attempts_of_message ON attempts (message_id);
-- Rescue: open attempts that nobody holds any more. Renewal: those of one owner.
CREATE INDEX attempts_open ON attempts (lease_until) WHERE state <> 'done';
CREATE INDEX attempts_in_doubt_for ON attempts (workspace_id, address) WHERE state <> 'done';
-- A provider's id belongs to one attempt, so that a look-up never finds another's send.
CREATE UNIQUE INDEX attempts_by_external_id ON attempts (external_id, device_id) WHERE external_id IS NOT NULL;

-- Whether an address is on iMessage, as the provider last said.
CREATE TABLE availability (
    workspace_id  TEXT NOT NULL,
    address       TEXT NOT NULL,
    is_available  INTEGER NOT NULL,
    checked_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, address)
);

-- The double-send guard: the last message with one fingerprint. Rows older than the guard's time are swept.
CREATE TABLE recent_sends (
    workspace_id  TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    message_id    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, fingerprint)
);
CREATE INDEX recent_sends_by_age ON recent_sends (created_at);

CREATE TABLE idempotency_keys (
    workspace_id  TEXT NOT NULL,
    key           TEXT NOT NULL,
    body_digest   TEXT NOT NULL,
    message_id    TEXT NOT NULL,
    answer        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    keep_until    BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (keep_until);

-- Every decision about a message, in order: `steps` is a list of stable codes, each with the facts from which its words are made.
CREATE TABLE timeline (
    message_id    TEXT NOT NULL,
    at            BIGINT NOT NULL,
    id            TEXT NOT NULL,
    workspace_id  TEXT NOT NULL,
    steps         TEXT NOT NULL,
    PRIMARY KEY (message_id, at, id)
);

-- A message that came in from a device, stored once however often it is reported.
CREATE TABLE signals_seen (
    device_id    TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    seen_at      BIGINT NOT NULL,
    PRIMARY KEY (device_id, external_id)
);
