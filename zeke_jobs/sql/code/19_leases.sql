-- A lease reserves a resource, such as a web host, for a job while the job runs.

-- Return whether a lease is still valid: the job that took it is active, and still has the claim number with which it took the lease.
CREATE OR REPLACE FUNCTION zeke_jobs.is_live(p_lease zeke_jobs.lease) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.message_id = p_lease.job AND q.claim = p_lease.claim AND q.state = 'consumed') $$;

-- Take a lease. outcome is held (by p_job now), taken (by p_limit jobs; holder is the one that took it first) or lost (p_worker may no longer run p_job).
CREATE OR REPLACE FUNCTION zeke_jobs.take_lease(p_name text, p_limit integer, p_worker uuid, p_job uuid, p_claim bigint,
  OUT outcome text, OUT holder uuid, OUT task text, OUT since timestamptz)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
  -- After this lock, statements see the leases as the last caller left them. All lease names share sixty-four locks.
  PERFORM zeke_jobs.take_lock('lease/' || (hashtext(p_name) & 63));
  DELETE FROM zeke_jobs.lease AS l WHERE l.name = p_name AND NOT zeke_jobs.is_live(l);
  IF NOT EXISTS (
    SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = p_job AND q.claim = p_claim AND q.worker = p_worker AND q.cancelled_on IS NULL)
  THEN
    outcome := 'lost';
    RETURN;
  END IF;
  -- One statement counts the leases and finds the oldest: a job gives back a lease without a lock, so a lease could disappear between two statements.
  SELECT 'taken', l.job, q.task, l.taken_on INTO outcome, holder, task, since
  FROM (SELECT o.*, count(*) OVER () AS held FROM zeke_jobs.lease AS o WHERE o.name = p_name) AS l
  LEFT JOIN zeke_jobs.queue AS q ON q.message_id = l.job WHERE l.held >= p_limit ORDER BY l.taken_on LIMIT 1;
  IF NOT FOUND THEN
    INSERT INTO zeke_jobs.lease (name, job, claim, taken_on) VALUES (p_name, p_job, p_claim, zeke_jobs.now());
    outcome := 'held';
  END IF;
END $$;
