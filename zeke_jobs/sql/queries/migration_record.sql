-- Remember that a migration was applied.
INSERT INTO zeke_jobs.migration (package, name, checksum, breaking)
VALUES (%(package)s, %(name)s, %(checksum)s, %(breaking)s)
