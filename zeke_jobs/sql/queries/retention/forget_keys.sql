-- Delete the rows of keys whose rate limit has allowed another job for more than an hour. A key without a row may start a job at once.
DELETE FROM zeke_jobs.bucket_key AS k WHERE k.ctid = ANY (ARRAY(
  SELECT o.ctid FROM zeke_jobs.bucket_key AS o WHERE o.next_at < zeke_jobs.now() - interval '1 hour'
  FOR UPDATE SKIP LOCKED))
