-- Give back a lease that the job holds.
DELETE FROM zeke_jobs.lease WHERE name = %(name)s AND job = %(job)s::uuid AND claim = %(claim)s
