-- One poll of a source writes at a time.
SELECT pg_advisory_xact_lock(hashtextextended(%(source_id)s::text, 1853191016))
