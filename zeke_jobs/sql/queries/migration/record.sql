-- Record an applied migration and the objects that it made.
INSERT INTO zeke_jobs.migration (package, name, checksum, breaking, version, made)
VALUES (%(package)s, %(name)s, %(checksum)s, %(breaking)s, %(version)s, %(made)s::text[])
ON CONFLICT (package, name) DO UPDATE SET checksum = excluded.checksum, version = excluded.version, applied_on = clock_timestamp()
