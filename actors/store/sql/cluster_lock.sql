-- One at a time: two workers that join overlapping clusters would lock each other's stories. Released at commit.
SELECT pg_advisory_xact_lock(hashtext('actors.store.clusters')) IS NULL AS locked
