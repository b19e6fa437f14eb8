-- The first installation that comes owns the database.
INSERT INTO zeke_jobs.installation (name)
VALUES (%(name)s)
ON CONFLICT (singleton) DO NOTHING
