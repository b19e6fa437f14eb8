-- Delete jobs from the history that were purged more than ninety days ago, the oldest first. The parameter limit is the maximum number.
DELETE FROM zeke_jobs.history AS h WHERE h.id = ANY (ARRAY(
  SELECT o.id FROM zeke_jobs.history AS o WHERE o.purged_on < zeke_jobs.now() - interval '90 days'
  ORDER BY o.purged_on LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
