-- A reaction that was taken back is remembered, because it may be heard of before the reaction itself.
ALTER TABLE reactions ADD COLUMN is_removed INTEGER NOT NULL DEFAULT 0;
