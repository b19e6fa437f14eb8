-- Remove leases whose jobs ended without a release: they no longer count, but stay if their names are never used again.
DELETE FROM zeke_jobs.lease AS l
WHERE NOT zeke_jobs.is_live(l)
