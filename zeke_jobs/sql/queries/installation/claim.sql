-- Make the first installation the owner of the database.
INSERT INTO zeke_jobs.installation (name)
VALUES (%(name)s)
ON CONFLICT (singleton) DO NOTHING
