-- Record an installation as the owner of the database, unless the database already has an owner.
INSERT INTO zeke_jobs.installation (name)
VALUES (%(name)s)
ON CONFLICT (singleton) DO NOTHING
