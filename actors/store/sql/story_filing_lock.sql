-- One story is filed at a time in a database, for the few milliseconds between looking for its like and adding it.
SELECT pg_advisory_xact_lock(hashtextextended('zeke_jobs:file a story', 0))
