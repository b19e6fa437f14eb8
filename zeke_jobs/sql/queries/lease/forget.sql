-- Remove leases whose jobs ended without giving them back; they count no longer, and nobody may ever ask for their names again.
DELETE FROM zeke_jobs.lease AS l
WHERE NOT zeke_jobs.is_live(l)
