-- How many scripts a namespace has, so that nothing that looks a namespace up has to count them. Whichever way a script
-- comes or goes, the number changes in the same transaction.
ALTER TABLE namespaces ADD COLUMN scripts INTEGER NOT NULL DEFAULT 0;
UPDATE namespaces SET scripts = (SELECT count(*) FROM scripts WHERE scope = namespaces.id);

CREATE TRIGGER scripts_are_counted_in AFTER INSERT ON scripts WHEN NEW.namespace IS NOT NULL
BEGIN
    UPDATE namespaces SET scripts = scripts + 1 WHERE id = NEW.namespace;
END;

CREATE TRIGGER scripts_are_counted_out AFTER DELETE ON scripts WHEN OLD.namespace IS NOT NULL
BEGIN
    UPDATE namespaces SET scripts = scripts - 1 WHERE id = OLD.namespace;
END;
