-- The parts of long texts as carriers hand them over, each acknowledged as it comes: kept here until the text is whole, and for
-- a while after it was given out, so that a part that comes again is known.
CREATE TABLE inbound_parts (
    device_id    TEXT NOT NULL,
    address      TEXT NOT NULL,
    sent_to      TEXT NOT NULL,
    reference    INTEGER NOT NULL,
    total        INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    fingerprint  TEXT NOT NULL,
    text         TEXT NOT NULL,
    came_at      BIGINT NOT NULL,
    began_at     BIGINT NOT NULL,
    given_at     BIGINT,
    PRIMARY KEY (device_id, address, sent_to, reference, total, number)
);
CREATE INDEX inbound_parts_open ON inbound_parts (device_id, address, sent_to, reference, total, began_at) WHERE given_at IS NULL;
CREATE INDEX inbound_parts_given ON inbound_parts (given_at) WHERE given_at IS NOT NULL;
