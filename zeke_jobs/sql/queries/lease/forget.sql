-- Remove leases whose jobs ended without releasing them: they no longer count, but their rows would remain.
DELETE FROM zeke_jobs.lease AS l WHERE NOT zeke_jobs.is_live(l)
