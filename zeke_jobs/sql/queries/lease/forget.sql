-- Delete the rows of leases that jobs did not give back before they ended. Such a lease is no longer valid, but its row would stay.
DELETE FROM zeke_jobs.lease AS l WHERE NOT zeke_jobs.is_live(l)
