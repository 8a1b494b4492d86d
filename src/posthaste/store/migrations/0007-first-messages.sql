-- Accepting a first message with fewer rows and indexes.

-- The message that began a conversation, and what it was to the double-send guard: it needs no row in recent_sends.
ALTER TABLE conversations ADD COLUMN first_message_id TEXT;
ALTER TABLE conversations ADD COLUMN first_fingerprint TEXT;

-- Addresses are looked up by themselves; those of a lead stand on the lead.
DROP INDEX lead_addresses_of_lead;
