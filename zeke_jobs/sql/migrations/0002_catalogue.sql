-- The catalogue that boot writes from jobs.yaml, and the limits that claims obey.

CREATE TABLE zeke_jobs.installation (
  singleton boolean NOT NULL DEFAULT true,
  name text NOT NULL,
  created_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  CONSTRAINT installation_pkey PRIMARY KEY (singleton),
  CONSTRAINT installation_singleton CHECK (singleton)
);
COMMENT ON TABLE zeke_jobs.installation IS 'The name of the environment that owns this database.';

CREATE TABLE zeke_jobs.revision (
  number integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  digest text NOT NULL,
  source text NOT NULL,
  applied_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  applied_by text NOT NULL,
  message text NOT NULL DEFAULT '',
  CONSTRAINT revision_pkey PRIMARY KEY (number)
);
COMMENT ON TABLE zeke_jobs.revision IS 'Every jobs.yaml that was put in force; the highest number is in force.';
CREATE INDEX revision_digest ON zeke_jobs.revision (digest);

CREATE TABLE zeke_jobs.task (
  id text NOT NULL,
  aliases text[] NOT NULL DEFAULT '{}',
  queue text NOT NULL,
  description text NOT NULL DEFAULT '',
  definition jsonb NOT NULL,
  payload_schema jsonb,
  priority integer NOT NULL DEFAULT 0,
  per_key integer,
  gates text[] NOT NULL DEFAULT '{}',
  retry_limit integer NOT NULL DEFAULT 0,
  max_queued integer,
  unique_fields text[],
  unique_while text,
  unique_period interval,
  sensitive text[] NOT NULL DEFAULT '{}',
  cron jsonb,
  paused boolean NOT NULL DEFAULT false,
  revision integer NOT NULL,
  CONSTRAINT task_pkey PRIMARY KEY (id),
  CONSTRAINT task_unique_while CHECK (unique_while IN ('queued', 'active', 'period'))
);
COMMENT ON TABLE zeke_jobs.task IS 'The tasks of the revision in force. Clients read it, so that they need neither jobs.yaml nor handlers.';
COMMENT ON COLUMN zeke_jobs.task.definition IS 'The resolved stanza of jobs.yaml.';
COMMENT ON COLUMN zeke_jobs.task.gates IS 'Names of the gates that a job of this task must pass.';
COMMENT ON COLUMN zeke_jobs.task.paused IS 'Paused by jobs.yaml; people pause in zeke_jobs.pause.';
COMMENT ON COLUMN zeke_jobs.task.revision IS 'The revision that last changed this task.';

CREATE TABLE zeke_jobs.gate (
  name text NOT NULL,
  concurrency integer,
  rate_count integer,
  rate_period interval,
  CONSTRAINT gate_pkey PRIMARY KEY (name),
  CONSTRAINT gate_concurrency CHECK (concurrency >= 0),
  CONSTRAINT gate_rate CHECK ((rate_count IS NULL) = (rate_period IS NULL))
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.gate IS
  'What a claim must lock and count: task/ID for a task''s own limit, limit/NAME for a shared one. No row, no limit.';

CREATE TABLE zeke_jobs.rate_use (
  gate text NOT NULL,
  used_on timestamptz NOT NULL,
  count integer NOT NULL,
  CONSTRAINT rate_use_gate_fkey FOREIGN KEY (gate) REFERENCES zeke_jobs.gate (name) ON DELETE CASCADE
);
COMMENT ON TABLE zeke_jobs.rate_use IS 'Claims that passed a gate with a rate, kept for one period.';
CREATE INDEX rate_use_window ON zeke_jobs.rate_use (gate, used_on);

CREATE TABLE zeke_jobs.pause (
  target text NOT NULL,
  paused_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  paused_by text NOT NULL,
  reason text NOT NULL DEFAULT '',
  CONSTRAINT pause_pkey PRIMARY KEY (target),
  CONSTRAINT pause_target CHECK (target ~ '^(task|queue|limit|schedule)/.+')
);
COMMENT ON TABLE zeke_jobs.pause IS 'What people paused: task/ID, queue/NAME, limit/NAME, schedule/ID. Outlives restarts and revisions.';

-- The row of the task that a name or an alias means.
CREATE FUNCTION zeke_jobs.find_task(p_name text) RETURNS zeke_jobs.task
LANGUAGE sql STABLE
AS $$
  SELECT t FROM zeke_jobs.task AS t WHERE t.id = p_name OR p_name = ANY (t.aliases) ORDER BY (t.id = p_name) DESC LIMIT 1
$$;

-- A row that an unmodified dramatiq-pg producer wrote: give it what our own sends bring along. A message that no worker could read is
-- refused: the producer hears it, in its own transaction.
CREATE FUNCTION zeke_jobs.adopt() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  v_task zeke_jobs.task;
  v_unfit text;
BEGIN
  IF NEW.message IS NULL THEN
    RETURN NEW;
  END IF;
  v_unfit := zeke_jobs.unfit_message(NEW.message);
  IF v_unfit IS NOT NULL THEN
    RAISE EXCEPTION '%', v_unfit USING ERRCODE = 'invalid_parameter_value';
  END IF;
  NEW.queue_name := regexp_replace(NEW.queue_name, '\.DQ$', '');
  v_task := zeke_jobs.find_task(NEW.message ->> 'actor_name');
  IF v_task.id IS NOT NULL THEN
    NEW.queue_name := v_task.queue;
    NEW.priority := v_task.priority;
    NEW.sensitive := nullif(NEW.sensitive || v_task.sensitive, '{}');
    IF v_task.per_key IS NOT NULL AND NEW.key IS NULL THEN
      NEW.key := NEW.message_id::text;
    END IF;
  END IF;
  IF jsonb_typeof(NEW.message #> '{options,eta}') = 'number' THEN
    NEW.run_at := zeke_jobs.readable(
      to_timestamp((NEW.message #>> '{options,eta}')::numeric / 1000.0), 'eta of a message', NEW.message #>> '{options,eta}');
  END IF;
  NEW.message := (NEW.message #- '{options,eta}')
    || jsonb_build_object('queue_name', NEW.queue_name, 'actor_name', coalesce(v_task.id, NEW.message ->> 'actor_name'));
  NEW.revision := (SELECT coalesce(max(number), 0) FROM zeke_jobs.revision);
  RETURN NEW;
END
$$;
CREATE TRIGGER queue_adopt_insert BEFORE INSERT ON zeke_jobs.queue
  FOR EACH ROW WHEN (NEW.revision IS NULL) EXECUTE FUNCTION zeke_jobs.adopt();
-- A stock producer's upsert of the same id; ours never writes message again.
CREATE TRIGGER queue_adopt_update BEFORE UPDATE OF message ON zeke_jobs.queue
  FOR EACH ROW EXECUTE FUNCTION zeke_jobs.adopt();

-- A per-key limit finds jobs by their keys: those that were sent before their task had one get their own ids.
CREATE FUNCTION zeke_jobs.give_keys() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  UPDATE zeke_jobs.queue AS q
  SET key = q.message_id::text
  WHERE q.task = NEW.id AND q.key IS NULL AND q.state <> 'done';
  RETURN NULL;
END
$$;
CREATE TRIGGER task_keys_insert AFTER INSERT ON zeke_jobs.task
  FOR EACH ROW WHEN (NEW.per_key IS NOT NULL) EXECUTE FUNCTION zeke_jobs.give_keys();
CREATE TRIGGER task_keys_update AFTER UPDATE ON zeke_jobs.task
  FOR EACH ROW WHEN (NEW.per_key IS NOT NULL AND OLD.per_key IS NULL) EXECUTE FUNCTION zeke_jobs.give_keys();
