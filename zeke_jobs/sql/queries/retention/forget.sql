-- Delete from the history jobs that were moved there (purged) more than ninety days ago, the oldest first, at most a given number of them.
DELETE FROM zeke_jobs.history AS h WHERE h.id = ANY (ARRAY(
  SELECT o.id FROM zeke_jobs.history AS o WHERE o.purged_on < zeke_jobs.now() - interval '90 days'
  ORDER BY o.purged_on LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
