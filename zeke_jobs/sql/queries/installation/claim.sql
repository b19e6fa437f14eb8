-- Record the name of the installation (such as production) to which this database belongs, unless a name is recorded already.
INSERT INTO zeke_jobs.installation (name)
VALUES (%(name)s)
ON CONFLICT (singleton) DO NOTHING
