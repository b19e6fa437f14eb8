-- Delete the rows of keys whose rate has allowed a start for at least an hour. A key without a row may also start a job.
DELETE FROM zeke_jobs.bucket_key AS k WHERE k.ctid = ANY (ARRAY(
  SELECT o.ctid FROM zeke_jobs.bucket_key AS o WHERE o.next_at < zeke_jobs.now() - interval '1 hour'
  FOR UPDATE SKIP LOCKED))
