-- Remove leases whose jobs ended without a release. These leases no longer count, but their rows would stay.
DELETE FROM zeke_jobs.lease AS l WHERE NOT zeke_jobs.is_live(l)
