-- The catalogue: which jobs.yaml is in force, its tasks and limits, and what people paused or changed by hand.

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
  origin text NOT NULL DEFAULT 'boot',
  overrides jsonb NOT NULL DEFAULT '[]',
  shown jsonb NOT NULL DEFAULT '{"source": "", "overrides": []}',
  CONSTRAINT revision_origin CHECK (origin IN ('boot', 'apply', 'rollback', 'set', 'revert')),
  CONSTRAINT revision_pkey PRIMARY KEY (number)
);
COMMENT ON TABLE zeke_jobs.revision IS 'Every jobs.yaml that was put in force; the highest number is in force.';
COMMENT ON COLUMN zeke_jobs.revision.origin IS 'What made it: a booting process, a command, or an override whose time was over.';
COMMENT ON COLUMN zeke_jobs.revision.overrides IS 'What is set beside the text: path, value, by, why, set_on; until or drains say when it ends by itself. A later one hides those before it at its path.';
COMMENT ON COLUMN zeke_jobs.revision.shown IS 'source and overrides for readers: without sensitive fields of schedules, and settings of services.';

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
  order_hold boolean,
  share jsonb,
  age interval,
  limits text[] NOT NULL DEFAULT '{}',
  metered boolean NOT NULL DEFAULT false,
  units jsonb NOT NULL DEFAULT '{}',
  retry_limit integer NOT NULL DEFAULT 0,
  max_queued integer,
  unique_fields text[],
  unique_while text,
  unique_period interval,
  sensitive text[] NOT NULL DEFAULT '{}',
  on_time double precision,
  cron jsonb,
  paused boolean NOT NULL DEFAULT false,
  chunk jsonb,
  revision integer NOT NULL,
  CONSTRAINT task_pkey PRIMARY KEY (id),
  CONSTRAINT task_unique_while CHECK (unique_while IN ('queued', 'active', 'period'))
);
COMMENT ON TABLE zeke_jobs.task IS 'The tasks of the revision in force. Clients read it, so that they need neither jobs.yaml nor handlers.';
COMMENT ON COLUMN zeke_jobs.task.definition IS 'The resolved stanza of jobs.yaml.';
COMMENT ON COLUMN zeke_jobs.task.per_key IS 'At most so many active jobs of a key.';
COMMENT ON COLUMN zeke_jobs.task.order_hold IS 'Its jobs run in strict order by key, and a failed one holds its key (true) or is skipped (false). NULL: in no order.';
COMMENT ON COLUMN zeke_jobs.task.share IS 'Its keys take turns, as jobs.yaml says. NULL: they do not.';
COMMENT ON COLUMN zeke_jobs.task.age IS 'The priority of its waiting jobs rises by one after each such time.';
COMMENT ON COLUMN zeke_jobs.task.limits IS 'Names of the limits that a job of this task must pass (zeke_jobs.bucket).';
COMMENT ON COLUMN zeke_jobs.task.metered IS 'One of its limits counts more than active jobs.';
COMMENT ON COLUMN zeke_jobs.task.units IS 'The units that a job uses, as jobs.yaml says.';
COMMENT ON COLUMN zeke_jobs.task.on_time IS 'A handler that starts later after its claim, in seconds, delays the next starts of its rates. NULL: it has no rate.';
COMMENT ON COLUMN zeke_jobs.task.paused IS 'Paused by jobs.yaml; people pause in zeke_jobs.pause.';
COMMENT ON COLUMN zeke_jobs.task.chunk IS 'Its jobs are claimed in chunks: size, wait, by. NULL: one by one.';
COMMENT ON COLUMN zeke_jobs.task.revision IS 'The revision that last changed this task.';

-- A limit is a bucket: task/ID is a task's own, limit/NAME a shared one. The row of unit 'jobs' has the concurrency, the rate of starts, and what
-- closes the limit; a limit that counts units or money has one more row for each. A claim locks the rows of its tasks' limits.
CREATE TABLE zeke_jobs.bucket (
  name text NOT NULL,
  unit text NOT NULL DEFAULT 'jobs',
  tasks text[] NOT NULL DEFAULT '{}',
  chunked text[],
  concurrency integer,
  amount numeric,
  period interval,
  zone text,
  burst numeric NOT NULL DEFAULT 0,
  step double precision,
  slack double precision,
  next_at timestamptz NOT NULL DEFAULT '-infinity',
  spent numeric NOT NULL DEFAULT 0,
  spent_on date,
  averages jsonb NOT NULL DEFAULT '{}',
  key_amount integer,
  key_period interval,
  key_step double precision,
  key_slack double precision,
  key_cursor text NOT NULL DEFAULT '',
  key_taken integer NOT NULL DEFAULT 0,
  least integer,
  raise_every interval,
  ceiling integer,
  lowered_on timestamptz,
  breaker_failures integer,
  breaker_share double precision,
  breaker_within interval,
  breaker_pause interval,
  tripped_on timestamptz,
  probe uuid,
  closed_until timestamptz,
  closed_by text,
  closed_why text,
  CONSTRAINT bucket_pkey PRIMARY KEY (name, unit),
  CONSTRAINT bucket_concurrency CHECK (concurrency >= 0),
  CONSTRAINT bucket_window CHECK (amount IS NULL OR (period IS NULL) <> (zone IS NULL)),
  CONSTRAINT bucket_closed_by CHECK (closed_by IN ('throttled', 'breaker'))
) WITH (fillfactor = 50);

-- Serves ends of jobs, which ask whether there is a breaker.
CREATE INDEX bucket_breaker ON zeke_jobs.bucket (name) WHERE breaker_pause IS NOT NULL;

COMMENT ON TABLE zeke_jobs.bucket IS 'Limits: what a claim must lock and ask for room. No row, no limit.';
COMMENT ON COLUMN zeke_jobs.bucket.tasks IS 'The tasks that pass it, under all their names: their active jobs count for the concurrency.';
COMMENT ON COLUMN zeke_jobs.bucket.chunked IS 'Those of tasks that run in chunks: a chunk counts as one for the concurrency. NULL: none.';
COMMENT ON COLUMN zeke_jobs.bucket.amount IS 'At most so much of the unit within any time as long as period; without a period, on each day in zone (a budget).';
COMMENT ON COLUMN zeke_jobs.bucket.burst IS 'So much of it may be used at once, beside one job.';
COMMENT ON COLUMN zeke_jobs.bucket.step IS 'Seconds by which each unit moves next_at; see zeke_jobs.step_of.';
COMMENT ON COLUMN zeke_jobs.bucket.slack IS 'Seconds by which next_at may be behind the time: the burst, and how late a claim may come.';
COMMENT ON COLUMN zeke_jobs.bucket.next_at IS 'The rate lets the next job start from then on.';
COMMENT ON COLUMN zeke_jobs.bucket.spent IS 'What was used of the budget on the day spent_on.';
COMMENT ON COLUMN zeke_jobs.bucket.averages IS 'What recent jobs of each task used of the unit: the estimate for its next jobs.';
COMMENT ON COLUMN zeke_jobs.bucket.key_amount IS 'At most so many starts of a key within key_period.';
COMMENT ON COLUMN zeke_jobs.bucket.key_cursor IS 'The next claim that must go through the keys begins after this one.';
COMMENT ON COLUMN zeke_jobs.bucket.key_taken IS 'Fair shares: jobs that this key has had in its turn.';
COMMENT ON COLUMN zeke_jobs.bucket.least IS 'The lowest concurrency that throttling may set; raise_every is the time after which it rises by one again.';
COMMENT ON COLUMN zeke_jobs.bucket.ceiling IS 'The concurrency that throttling set at lowered_on; it has risen since.';
COMMENT ON COLUMN zeke_jobs.bucket.tripped_on IS 'The breaker is open since then; after closed_until one job at a time probes (probe).';
COMMENT ON COLUMN zeke_jobs.bucket.closed_until IS 'No job starts before; closed_by and closed_why say why.';

CREATE TABLE zeke_jobs.bucket_key (
  name text NOT NULL,
  key text NOT NULL,
  next_at timestamptz NOT NULL,
  CONSTRAINT bucket_key_pkey PRIMARY KEY (name, key)
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.bucket_key IS 'Rates per key: from when on the next job of a key may start. A key without a row may start one.';

-- Ends and handlers never lock a bucket, so no claim waits for them: they add a row, and the next claim adds it up.
CREATE TABLE zeke_jobs.bucket_change (
  name text NOT NULL,
  unit text NOT NULL,
  key text NOT NULL DEFAULT '',
  task text,
  amount numeric NOT NULL DEFAULT 0,
  used numeric,
  delay double precision NOT NULL DEFAULT 0,
  noted_on timestamptz NOT NULL DEFAULT zeke_jobs.now()
);
COMMENT ON TABLE zeke_jobs.bucket_change IS 'Changes of buckets since the last claim.';
COMMENT ON COLUMN zeke_jobs.bucket_change.amount IS 'What jobs used beyond their estimates.';
COMMENT ON COLUMN zeke_jobs.bucket_change.used IS 'What a job of the task reported in all, for its average.';
COMMENT ON COLUMN zeke_jobs.bucket_change.delay IS 'Seconds by which a handler started later than its claim allowed for; negative: a start was handed back.';

-- Serves the claim.
CREATE INDEX bucket_change_name ON zeke_jobs.bucket_change (name);

CREATE TABLE zeke_jobs.unit_use (
  job uuid NOT NULL,
  claim bigint NOT NULL,
  name text NOT NULL,
  unit text NOT NULL,
  task text NOT NULL,
  taken numeric NOT NULL,
  reported numeric,
  CONSTRAINT unit_use_pkey PRIMARY KEY (job, name, unit)
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.unit_use IS 'What active jobs took from buckets of units and money. Gone at the end of the attempt.';

CREATE TABLE zeke_jobs.breaker_end (
  name text NOT NULL,
  ended_on timestamptz NOT NULL,
  failed boolean NOT NULL,
  job uuid NOT NULL
);
COMMENT ON TABLE zeke_jobs.breaker_end IS 'Ends of attempts that a breaker counts, kept for its time.';

CREATE INDEX breaker_end_window ON zeke_jobs.breaker_end (name, ended_on);

CREATE TABLE zeke_jobs.pause (
  target text NOT NULL,
  paused_on timestamptz NOT NULL DEFAULT zeke_jobs.now(),
  paused_by text NOT NULL,
  reason text NOT NULL DEFAULT '',
  CONSTRAINT pause_pkey PRIMARY KEY (target),
  CONSTRAINT pause_target CHECK (target ~ '^(task|queue|limit|schedule)/.+')
);
COMMENT ON TABLE zeke_jobs.pause IS 'What people paused: task/ID, queue/NAME, limit/NAME, schedule/ID. Outlives restarts and revisions.';

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

-- Serves the list of the newest, and its retention.
CREATE INDEX audit_done ON zeke_jobs.audit (done_on);
