-- What lists of replies and conversations are read by.

-- The replies of each lead: who has replied, and the last ones of each. With the direction in it SQLite reads the index alone.
CREATE INDEX messages_replied ON messages (workspace_id, lead_id, created_at, id, direction) WHERE direction = 'received';
-- The leads of a workspace.
CREATE INDEX leads_newest ON leads (workspace_id, created_at, id);
