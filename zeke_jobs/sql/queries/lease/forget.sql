-- Remove leases whose jobs ended without releasing them. They no longer count, but their rows would remain if nobody took a lease of their name
-- again.
DELETE FROM zeke_jobs.lease AS l WHERE NOT zeke_jobs.is_live(l)
