-- What a secret is once it is opened: a text, or `secret_key`.
ALTER TABLE bindings ADD COLUMN secret_type TEXT CHECK (secret_type IS NULL OR secret IS NOT NULL);
