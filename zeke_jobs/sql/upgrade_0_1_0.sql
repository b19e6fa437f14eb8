-- Version 0.1.0 kept its tables in eighteen files. This brings them to 0001_tables.sql; functions and views follow by sql/code.

-- No worker could read times beyond these bounds (queue_times).
UPDATE zeke_jobs.queue AS q
SET
  run_at = least(greatest(q.run_at, '1970-01-01 00:00:00+00'), '8999-12-31 00:00:00+00'),
  expires_on = least(greatest(q.expires_on, '1970-01-01 00:00:00+00'), '8999-12-31 00:00:00+00'),
  scheduled_for = least(greatest(q.scheduled_for, '1970-01-01 00:00:00+00'), '8999-12-31 00:00:00+00')
WHERE least(q.run_at, q.expires_on, q.scheduled_for) < '1970-01-01 00:00:00+00'
  OR greatest(q.run_at, q.expires_on, q.scheduled_for) >= '9000-01-01 00:00:00+00';

CREATE FUNCTION zeke_jobs.is_readable(p_moment timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT p_moment >= '1970-01-01 00:00:00+00' AND p_moment < '9000-01-01 00:00:00+00' $$;

CREATE SEQUENCE zeke_jobs.turn;

ALTER TABLE zeke_jobs.queue
  ADD COLUMN turn bigint,
  ADD COLUMN behind integer,
  ADD COLUMN group_size integer NOT NULL DEFAULT 1,
  ADD COLUMN sensitive text[],
  ADD CONSTRAINT queue_times CHECK (
    least(run_at, expires_on, created_on, claimed_on, started_on, completed_on, scheduled_for, cancelled_on) >= '1970-01-01 00:00:00+00'
    AND greatest(run_at, expires_on, created_on, claimed_on, started_on, completed_on, scheduled_for, cancelled_on)
      < '9000-01-01 00:00:00+00');

ALTER TABLE zeke_jobs.history ADD COLUMN is_sensitive boolean NOT NULL DEFAULT false;

ALTER TYPE zeke_jobs.claimed ADD ATTRIBUTE sensitive text[] CASCADE;
CREATE TABLE zeke_jobs.lock (
  name text NOT NULL,
  CONSTRAINT lock_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE zeke_jobs.lock IS 'Names under which one process at a time does something; see zeke_jobs.take_lock.';

COMMENT ON COLUMN zeke_jobs.queue.ahead IS 'Claimed ahead of its limit: starts in its worker in the slot of a job that ends there. Always false where it is not active.';

COMMENT ON COLUMN zeke_jobs.queue.waits IS 'Claimed ahead, and not known to have started: shown as queued.';

COMMENT ON COLUMN zeke_jobs.queue.turn IS 'Grows from claim to claim: a worker starts the jobs of a queue in this order, and those of a task that it claimed ahead of a limit.';

COMMENT ON COLUMN zeke_jobs.queue.behind IS 'Starts only while its worker has fewer jobs of an earlier turn whose ends are not written; NULL: at once.';

COMMENT ON COLUMN zeke_jobs.queue.deaths IS 'Workers that died of it, as far as is known: the first while it was one of several perhaps, each further one while it ran alone.';

COMMENT ON COLUMN zeke_jobs.queue.group_size IS 'Where deaths is not 0: with how many others of its kind it may run in one process, itself included; 1 is alone.';

COMMENT ON COLUMN zeke_jobs.queue.sensitive IS
  'Fields of the payload that its task called sensitive when it was sent; NULL for none. What the task calls so now is masked too.';

COMMENT ON SEQUENCE zeke_jobs.turn IS 'The order of claims (zeke_jobs.queue.turn).';

COMMENT ON COLUMN zeke_jobs.worker.alone IS 'Makes itself empty to run jobs during which a worker died, and nothing else.';

COMMENT ON COLUMN zeke_jobs.history.is_sensitive IS 'Its key quoted a sensitive field of its payload: views mask it.';

CREATE TABLE zeke_jobs.audit (
  number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  done_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  login text NOT NULL DEFAULT session_user,
  said_by text,
  action text NOT NULL,
  target text NOT NULL,
  reason text,
  jobs uuid[],
  CONSTRAINT audit_pkey PRIMARY KEY (number)
);

COMMENT ON TABLE zeke_jobs.audit IS 'Who changed what by hand. Rows are added and never changed; they go after 400 days.';

COMMENT ON COLUMN zeke_jobs.audit.login IS 'The database user, as the server knows it; behind a pooler that of the pool.';

COMMENT ON COLUMN zeke_jobs.audit.said_by IS 'Who the caller said it was: user@host of a command line.';

COMMENT ON COLUMN zeke_jobs.audit.jobs IS 'The jobs that were changed.';

CREATE INDEX audit_done ON zeke_jobs.audit (done_on);

-- Which fields were sensitive when a job was sent is not known: what its task calls so now is kept with it.
UPDATE zeke_jobs.queue AS q
SET sensitive = t.sensitive
FROM zeke_jobs.task AS t
WHERE (t.id = q.task OR q.task = ANY (t.aliases)) AND t.sensitive <> '{}';

-- What has other parameters or columns by now is made anew.
DROP FUNCTION zeke_jobs.claim(uuid, text, text[], integer, integer, integer, text[], integer[], integer[], integer[]);
DROP FUNCTION zeke_jobs.claim_alone(uuid, text, text[]);
DROP FUNCTION zeke_jobs.startable_suspects(text[], text[], timestamptz);
DO $$
DECLARE
  v_one text;
BEGIN
  FOR v_one IN
    SELECT p.oid::regprocedure::text FROM pg_proc AS p
    WHERE p.pronamespace = 'zeke_jobs'::regnamespace AND p.proname IN ('complete_and_claim', 'queued_pairs')
  LOOP
    EXECUTE 'DROP FUNCTION ' || v_one;
  END LOOP;
  FOR v_one IN
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relkind = 'v' AND c.relname IN ('job', 'archive', 'schedule') AND c.relnamespace IN (
      SELECT d.objoid FROM pg_description AS d
      WHERE d.classoid = 'pg_namespace'::regclass AND d.description LIKE 'Views of zeke_jobs in the words of pg-boss%')
  LOOP
    EXECUTE 'DROP VIEW ' || v_one;
  END LOOP;
END
$$;
-- Rights to these views are given anew by: zeke-jobs roles --apply
DROP VIEW zeke_jobs.schedule_lag, zeke_jobs.schedule, zeke_jobs.job;
DROP FUNCTION zeke_jobs.masked(jsonb, text[]);

DELETE FROM zeke_jobs.migration WHERE package = 'zeke_jobs' AND name <> '0000_dramatiq_pg.sql';
