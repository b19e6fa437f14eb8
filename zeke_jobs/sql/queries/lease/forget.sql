-- Remove the rows of leases whose jobs ended without a release. Leases of ended jobs do not count, but their rows would stay.
DELETE FROM zeke_jobs.lease AS l WHERE NOT zeke_jobs.is_live(l)
