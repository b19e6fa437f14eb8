-- Give a lease back.
DELETE FROM zeke_jobs.lease
WHERE name = %(name)s AND job = %(job)s::uuid AND claim = %(claim)s
