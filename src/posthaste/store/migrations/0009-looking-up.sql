-- Looking up what became of attempts, without reading all that there ever were.

-- The provider's ids that belong to other attempts for an address.
CREATE INDEX attempts_bound ON attempts (device_id, address) WHERE external_id IS NOT NULL;
-- What was called unknown, and is looked up once more when its device answers again.
CREATE INDEX attempts_lost ON attempts (device_id, finished_at) WHERE outcome = 'unknown';
