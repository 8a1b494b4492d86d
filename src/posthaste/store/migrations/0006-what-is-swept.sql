-- What is forgotten once it can no longer matter.

-- The oldest reports of each device.
CREATE INDEX signals_seen_oldest ON signals_seen (device_id, seen_at);
CREATE INDEX availability_oldest ON availability (checked_at);
