-- The tables, indexes and triggers that the migrations of zeke_jobs make, for reading and review; functions and views are in code/. Written by `nox -s schema`; never edited, never run.

CREATE TYPE pgboss.job_state AS ENUM (
    'created',
    'retry',
    'active',
    'completed',
    'expired',
    'cancelled',
    'failed'
);

CREATE TYPE zeke_jobs.claimed AS (
	kind text,
	message_id uuid,
	claim bigint,
	task text,
	message text,
	attempt integer,
	attempt_base integer,
	deaths integer,
	revision integer,
	parent uuid,
	scheduled_for timestamp with time zone,
	claimed_on timestamp with time zone,
	sensitive text[],
	on_time double precision,
	held_by text,
	reason text,
	wait double precision
);

CREATE TYPE zeke_jobs.first_job AS (
	task text,
	priority integer,
	run_at timestamp with time zone,
	seq bigint
);

CREATE TYPE zeke_jobs.job_status AS ENUM (
    'created',
    'retry',
    'active',
    'completed',
    'expired',
    'cancelled',
    'failed'
);

CREATE TYPE zeke_jobs.limit_room AS (
	name text,
	unit text,
	room integer,
	reason text,
	opens_on timestamp with time zone
);

CREATE TYPE zeke_jobs.state AS ENUM (
    'queued',
    'consumed',
    'rejected',
    'done'
);

CREATE TABLE zeke_jobs.bucket (
    name text NOT NULL,
    unit text DEFAULT 'jobs'::text NOT NULL,
    tasks text[] DEFAULT '{}'::text[] NOT NULL,
    chunked text[],
    concurrency integer,
    amount numeric,
    period interval,
    zone text,
    burst numeric DEFAULT 0 NOT NULL,
    step double precision,
    slack double precision,
    next_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    spent numeric DEFAULT 0 NOT NULL,
    spent_on date,
    averages jsonb DEFAULT '{}'::jsonb NOT NULL,
    key_amount integer,
    key_period interval,
    key_step double precision,
    key_slack double precision,
    key_cursor text DEFAULT ''::text NOT NULL,
    key_taken integer DEFAULT 0 NOT NULL,
    "least" integer,
    raise_every interval,
    ceiling integer,
    lowered_on timestamp with time zone,
    breaker_failures integer,
    breaker_share double precision,
    breaker_within interval,
    breaker_pause interval,
    tripped_on timestamp with time zone,
    probe uuid,
    closed_until timestamp with time zone,
    closed_by text,
    closed_why text,
    CONSTRAINT bucket_closed_by CHECK ((closed_by = ANY (ARRAY['throttled'::text, 'breaker'::text]))),
    CONSTRAINT bucket_concurrency CHECK ((concurrency >= 0)),
    CONSTRAINT bucket_window CHECK (((amount IS NULL) OR ((period IS NULL) <> (zone IS NULL))))
)
WITH (fillfactor='50');

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

COMMENT ON COLUMN zeke_jobs.bucket."least" IS 'The lowest concurrency that throttling may set; raise_every is the time after which it rises by one again.';

COMMENT ON COLUMN zeke_jobs.bucket.ceiling IS 'The concurrency that throttling set at lowered_on; it has risen since.';

COMMENT ON COLUMN zeke_jobs.bucket.tripped_on IS 'The breaker is open since then; after closed_until one job at a time probes (probe).';

COMMENT ON COLUMN zeke_jobs.bucket.closed_until IS 'No job starts before; closed_by and closed_why say why.';

CREATE TABLE zeke_jobs.queue (
    message_id uuid NOT NULL,
    queue_name text DEFAULT 'default'::text NOT NULL,
    state zeke_jobs.state DEFAULT 'queued'::zeke_jobs.state NOT NULL,
    mtime timestamp with time zone DEFAULT clock_timestamp(),
    message jsonb,
    result jsonb,
    result_ttl timestamp with time zone,
    task text,
    seq bigint NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    expires_on timestamp with time zone,
    key text,
    order_hold boolean,
    claim bigint DEFAULT 0 NOT NULL,
    worker uuid,
    attempt integer DEFAULT 0 NOT NULL,
    attempt_base integer DEFAULT 0 NOT NULL,
    deaths integer DEFAULT 0 NOT NULL,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    claimed_on timestamp with time zone,
    started_on timestamp with time zone,
    completed_on timestamp with time zone,
    cancelled_on timestamp with time zone,
    attempts jsonb DEFAULT '[]'::jsonb NOT NULL,
    parent uuid,
    scheduled_for timestamp with time zone,
    revision integer,
    sensitive text[],
    extra jsonb
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.05', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE zeke_jobs.queue IS 'One row per job. People read the view zeke_jobs.job.';

COMMENT ON COLUMN zeke_jobs.queue.mtime IS 'Each change of ours moves it, so a change that does not is by a dramatiq-pg producer.';

COMMENT ON COLUMN zeke_jobs.queue.message IS 'The dramatiq message; kwargs is the payload, in snake_case.';

COMMENT ON COLUMN zeke_jobs.queue.result IS 'Output of a completed job; jsonb null for None.';

COMMENT ON COLUMN zeke_jobs.queue.task IS 'Canonical task id, as in the message.';

COMMENT ON COLUMN zeke_jobs.queue.seq IS 'Order of arrival.';

COMMENT ON COLUMN zeke_jobs.queue.priority IS 'Higher runs first.';

COMMENT ON COLUMN zeke_jobs.queue.run_at IS 'Not claimed before this time.';

COMMENT ON COLUMN zeke_jobs.queue.expires_on IS 'Cancelled if it has not started by then.';

COMMENT ON COLUMN zeke_jobs.queue.key IS 'Limits per key, strict order and fair shares go by it. Where the send gave none: - for fair shares, else the job''s own id.';

COMMENT ON COLUMN zeke_jobs.queue.order_hold IS 'As its task''s: it runs in the strict order of its key. NULL: in no order.';

COMMENT ON COLUMN zeke_jobs.queue.claim IS 'Grows with each claim, is never reset, and fences every later change by the claimant.';

COMMENT ON COLUMN zeke_jobs.queue.worker IS 'The process that holds the claim; NULL when the job is not active.';

COMMENT ON COLUMN zeke_jobs.queue.attempt IS 'Starts of the handler, without those that ended in a deferral or were handed back.';

COMMENT ON COLUMN zeke_jobs.queue.attempt_base IS 'Attempts that used up no retry: those before a retry by hand, and those that died with their process.';

COMMENT ON COLUMN zeke_jobs.queue.deaths IS 'Processes that were lost while they ran it. From 2 on it runs alone in a process; 3 quarantine it.';

COMMENT ON COLUMN zeke_jobs.queue.started_on IS 'Start of the handler; while active, NULL until the worker has reported it.';

COMMENT ON COLUMN zeke_jobs.queue.completed_on IS 'When the job ended, in whatever way.';

COMMENT ON COLUMN zeke_jobs.queue.cancelled_on IS 'The cancel mark; on an active job: it is being stopped.';

COMMENT ON COLUMN zeke_jobs.queue.attempts IS 'Every attempt that did not complete: times, outcome, error, revision.';

COMMENT ON COLUMN zeke_jobs.queue.parent IS 'The job that sent this one.';

COMMENT ON COLUMN zeke_jobs.queue.scheduled_for IS 'The tick of the schedule that this job is for.';

COMMENT ON COLUMN zeke_jobs.queue.revision IS 'Revision of jobs.yaml that it ran under last; before that, the one that its task had when it was sent.';

COMMENT ON COLUMN zeke_jobs.queue.sensitive IS 'Fields of the payload that its task called sensitive when it was sent; NULL for none. What the task calls so now is masked too.';

COMMENT ON COLUMN zeke_jobs.queue.extra IS 'What few jobs have: options of the send, progress, reasons.';

CREATE TABLE zeke_jobs.worker (
    id uuid NOT NULL,
    kind text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    queues text[] DEFAULT '{}'::text[] NOT NULL,
    tasks text[] DEFAULT '{}'::text[] NOT NULL,
    threads integer DEFAULT 0 NOT NULL,
    places integer DEFAULT 0 NOT NULL,
    async_tasks text[] DEFAULT '{}'::text[] NOT NULL,
    busy integer DEFAULT 0 NOT NULL,
    idle text[] DEFAULT '{}'::text[] NOT NULL,
    limited text[] DEFAULT '{}'::text[] NOT NULL,
    alone boolean DEFAULT false NOT NULL,
    stopping boolean DEFAULT false NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    file_revision integer,
    started_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    heartbeat_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    lost_after interval DEFAULT '00:00:20'::interval NOT NULL,
    refusal text,
    blocked jsonb,
    beating_since timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT worker_kind CHECK ((kind = ANY (ARRAY['worker'::text, 'scheduler'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.worker IS 'One row per live process.';

COMMENT ON COLUMN zeke_jobs.worker.places IS 'Number of jobs that it runs at once on its event loop, beside its threads: those of async_tasks.';

COMMENT ON COLUMN zeke_jobs.worker.idle IS 'Queues of which it waits for new jobs: the next send notifies it.';

COMMENT ON COLUMN zeke_jobs.worker.limited IS 'Limits that held due jobs back from it: the end of a job that passes one of them notifies it.';

COMMENT ON COLUMN zeke_jobs.worker.alone IS 'Claims nothing until it is empty, and then one job that must run alone.';

COMMENT ON COLUMN zeke_jobs.worker.revision IS 'Revision of jobs.yaml that it runs by; file_revision is that of its own file.';

COMMENT ON COLUMN zeke_jobs.worker.lost_after IS 'Without a heartbeat for so long, others return its jobs to the queue.';

COMMENT ON COLUMN zeke_jobs.worker.refusal IS 'Why it does not run by the revision in force; NULL when it does.';

COMMENT ON COLUMN zeke_jobs.worker.blocked IS 'The last handler that kept the event loop to itself for a second: task, job, stack and time.';

COMMENT ON COLUMN zeke_jobs.worker.beating_since IS 'Since when it has proved life without a gap for which others would have given it up.';

CREATE AGGREGATE zeke_jobs.join_arrays(anycompatiblearray) (
    SFUNC = array_cat,
    STYPE = anycompatiblearray
);

CREATE TABLE zeke_jobs.history (
    id uuid NOT NULL,
    name text NOT NULL,
    state zeke_jobs.job_status NOT NULL,
    queue text NOT NULL,
    priority integer NOT NULL,
    key text,
    attempt integer NOT NULL,
    deaths integer NOT NULL,
    parent uuid,
    scheduled_for timestamp with time zone,
    revision integer,
    run_at timestamp with time zone NOT NULL,
    created_on timestamp with time zone NOT NULL,
    started_on timestamp with time zone,
    completed_on timestamp with time zone NOT NULL,
    purged_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    cost numeric,
    currency text,
    is_sensitive boolean DEFAULT false NOT NULL,
    seq bigint,
    claimed_on timestamp with time zone,
    expires_on timestamp with time zone,
    attempts jsonb,
    batch text
);

COMMENT ON TABLE zeke_jobs.history IS 'Jobs whose rows were removed at the end of their retention.';

COMMENT ON COLUMN zeke_jobs.history.cost IS 'What the job cost; NULL is unknown, not nothing.';

COMMENT ON COLUMN zeke_jobs.history.currency IS 'What the cost is counted in, as ISO 4217 has it; NULL while the cost is.';

COMMENT ON COLUMN zeke_jobs.history.is_sensitive IS 'Its key quoted a sensitive field of its payload: views mask it.';

COMMENT ON COLUMN zeke_jobs.history.seq IS 'Order of arrival.';

COMMENT ON COLUMN zeke_jobs.history.claimed_on IS 'When the last attempt was claimed.';

COMMENT ON COLUMN zeke_jobs.history.expires_on IS 'Cancelled if it had not started by then.';

COMMENT ON COLUMN zeke_jobs.history.attempts IS 'Every attempt that did not complete: times, outcome, type of error; NULL is unknown.';

COMMENT ON COLUMN zeke_jobs.history.batch IS 'The batch that it belonged to.';

CREATE TABLE zeke_jobs.migration (
    package text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    breaking boolean DEFAULT false NOT NULL,
    applied_on timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    made text[] DEFAULT '{}'::text[] NOT NULL,
    version text
);

CREATE TABLE zeke_jobs.cost (
    job uuid NOT NULL,
    task text NOT NULL,
    cost numeric NOT NULL,
    currency text NOT NULL,
    reported_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.cost IS 'What jobs cost so far, over all attempts, as their handlers reported it. Kept as long as the row of the job.';

CREATE TABLE zeke_jobs.revision (
    number integer NOT NULL,
    digest text NOT NULL,
    source text NOT NULL,
    applied_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    applied_by text NOT NULL,
    message text DEFAULT ''::text NOT NULL,
    origin text DEFAULT 'boot'::text NOT NULL,
    overrides jsonb DEFAULT '[]'::jsonb NOT NULL,
    shown jsonb DEFAULT '{"source": "", "overrides": []}'::jsonb NOT NULL,
    CONSTRAINT revision_origin CHECK ((origin = ANY (ARRAY['boot'::text, 'apply'::text, 'rollback'::text, 'set'::text, 'revert'::text])))
);

COMMENT ON TABLE zeke_jobs.revision IS 'Every jobs.yaml that was put in force; the highest number is in force.';

COMMENT ON COLUMN zeke_jobs.revision.origin IS 'What made it: a booting process, a command, or an override whose time was over.';

COMMENT ON COLUMN zeke_jobs.revision.overrides IS 'What is set beside the text: path, value, by, why, set_on; until or drains say when it ends by itself. A later one hides those before it at its path.';

COMMENT ON COLUMN zeke_jobs.revision.shown IS 'source and overrides for readers: without sensitive fields of schedules, and settings of services.';

CREATE TABLE zeke_jobs.pause (
    target text NOT NULL,
    paused_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    paused_by text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    CONSTRAINT pause_target CHECK ((target ~ '^(task|queue|limit|schedule)/.+'::text))
);

COMMENT ON TABLE zeke_jobs.pause IS 'What people paused: task/ID, queue/NAME, limit/NAME, schedule/ID. Outlives restarts and revisions.';

CREATE TABLE zeke_jobs.stored_schedule (
    name text NOT NULL,
    task text NOT NULL,
    cron jsonb NOT NULL,
    key text,
    put_by text,
    put_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT stored_schedule_name CHECK (((name ~ '^[^/]+/.+'::text) AND (octet_length(name) <= 200)))
);

COMMENT ON TABLE zeke_jobs.stored_schedule IS 'Schedules that programs put; zeke_jobs.schedule has these and those of jobs.yaml.';

COMMENT ON COLUMN zeke_jobs.stored_schedule.cron IS 'As zeke_jobs.task.cron.';

COMMENT ON COLUMN zeke_jobs.stored_schedule.put_on IS 'When it was put as it is now: no tick before that is sent.';

CREATE TABLE zeke_jobs.schedule_state (
    task text NOT NULL,
    cron text NOT NULL,
    timezone text NOT NULL,
    decided_to timestamp with time zone NOT NULL,
    next_tick timestamp with time zone,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.schedule_state IS 'How far each schedule has come. Its row is the lock under which ticks are decided.';

COMMENT ON COLUMN zeke_jobs.schedule_state.task IS 'The task of a schedule of jobs.yaml, or the name of a stored one; so in tick.';

COMMENT ON COLUMN zeke_jobs.schedule_state.cron IS 'The line, and timezone the zone, that decided_to and next_tick belong to.';

COMMENT ON COLUMN zeke_jobs.schedule_state.decided_to IS 'All ticks up to here are decided.';

CREATE TABLE zeke_jobs.tick (
    task text NOT NULL,
    scheduled_for timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    origin text DEFAULT 'schedule'::text NOT NULL,
    job uuid,
    decided_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT tick_origin CHECK ((origin = ANY (ARRAY['schedule'::text, 'backfill'::text]))),
    CONSTRAINT tick_outcome CHECK ((outcome = ANY (ARRAY['sent'::text, 'skipped'::text])))
);

COMMENT ON TABLE zeke_jobs.tick IS 'Each tick that was decided: sent, or skipped and why.';

COMMENT ON COLUMN zeke_jobs.tick.origin IS 'Who decided: the schedule in time, or a person later by a backfill.';

COMMENT ON COLUMN zeke_jobs.tick.job IS 'The job that was sent, or the one because of which none was.';

CREATE TABLE zeke_jobs.schedule_beat (
    singleton boolean DEFAULT true NOT NULL,
    beat_on timestamp with time zone NOT NULL,
    scheduler uuid NOT NULL,
    CONSTRAINT schedule_beat_singleton CHECK (singleton)
);

COMMENT ON TABLE zeke_jobs.schedule_beat IS 'When a scheduler last went through all schedules.';

CREATE TABLE zeke_jobs.audit (
    number bigint NOT NULL,
    done_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    login text DEFAULT SESSION_USER NOT NULL,
    said_by text,
    action text NOT NULL,
    target text NOT NULL,
    reason text,
    jobs uuid[]
);

COMMENT ON TABLE zeke_jobs.audit IS 'Who changed what by hand. Rows are added and never changed; they go after 400 days.';

COMMENT ON COLUMN zeke_jobs.audit.login IS 'The database user, as the server knows it; behind a pooler that of the pool.';

COMMENT ON COLUMN zeke_jobs.audit.said_by IS 'Who the caller said it was: user@host of a command line.';

COMMENT ON COLUMN zeke_jobs.audit.jobs IS 'The jobs that were changed.';

ALTER TABLE zeke_jobs.audit ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME zeke_jobs.audit_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE zeke_jobs.batch (
    id text NOT NULL,
    task text,
    payload jsonb,
    after_failure text DEFAULT 'send'::text NOT NULL,
    unfinished integer DEFAULT 0 NOT NULL,
    completed integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    cancelled integer DEFAULT 0 NOT NULL,
    made_in xid8 DEFAULT pg_current_xact_id() NOT NULL,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    cancelled_on timestamp with time zone,
    ended_on timestamp with time zone,
    then_job uuid,
    then_outcome text,
    CONSTRAINT batch_after_failure CHECK ((after_failure = ANY (ARRAY['send'::text, 'hold'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.batch IS 'Batches of jobs. When the last job has ended, one job is sent, in the transaction of that end.';

COMMENT ON COLUMN zeke_jobs.batch.task IS 'The task of the job that is sent at the end; NULL: none.';

COMMENT ON COLUMN zeke_jobs.batch.unfinished IS 'Its jobs that are queued or active; batch_change has what is to be added yet, as for the other counters.';

COMMENT ON COLUMN zeke_jobs.batch.made_in IS 'The transaction that made it: a closed batch takes the jobs of that transaction only.';

COMMENT ON COLUMN zeke_jobs.batch.then_outcome IS 'What became of the send at the end: created, or why there is no job.';

CREATE TABLE zeke_jobs.batch_change (
    xact xid8 DEFAULT pg_current_xact_id() NOT NULL,
    batch text NOT NULL,
    unfinished integer DEFAULT 0 NOT NULL,
    completed integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    cancelled integer DEFAULT 0 NOT NULL,
    cancels boolean DEFAULT false NOT NULL,
    is_sent boolean DEFAULT false NOT NULL
);

COMMENT ON TABLE zeke_jobs.batch_change IS 'Changes of the counters of batches that are not added up yet. An end adds up at its commit, so that no counter is locked before.';

COMMENT ON COLUMN zeke_jobs.batch_change.cancels IS 'The batch as a whole was cancelled: nothing is sent at its end.';

COMMENT ON COLUMN zeke_jobs.batch_change.is_sent IS 'By a sender, which locks no counter at all: the next end adds it up.';

CREATE TABLE zeke_jobs.batch_open (
    batch text NOT NULL
);

COMMENT ON TABLE zeke_jobs.batch_open IS 'Batches that were opened and are not closed: they take jobs of any sender, and do not end.';

CREATE TABLE zeke_jobs.breaker_end (
    name text NOT NULL,
    ended_on timestamp with time zone NOT NULL,
    failed boolean NOT NULL,
    job uuid NOT NULL
);

COMMENT ON TABLE zeke_jobs.breaker_end IS 'Ends of attempts that a breaker counts, kept for its time.';

CREATE TABLE zeke_jobs.bucket_change (
    name text NOT NULL,
    unit text NOT NULL,
    key text DEFAULT ''::text NOT NULL,
    task text,
    amount numeric DEFAULT 0 NOT NULL,
    used numeric,
    delay double precision DEFAULT 0 NOT NULL,
    noted_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.bucket_change IS 'Changes of buckets since the last claim.';

COMMENT ON COLUMN zeke_jobs.bucket_change.amount IS 'What jobs used beyond their estimates.';

COMMENT ON COLUMN zeke_jobs.bucket_change.used IS 'What a job of the task reported in all, for its average.';

COMMENT ON COLUMN zeke_jobs.bucket_change.delay IS 'Seconds by which a handler started later than its claim allowed for; negative: a start was handed back.';

CREATE TABLE zeke_jobs.bucket_key (
    name text NOT NULL,
    key text NOT NULL,
    next_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.bucket_key IS 'Rates per key: from when on the next job of a key may start. A key without a row may start one.';

CREATE TABLE zeke_jobs.event (
    name text NOT NULL,
    data jsonb NOT NULL,
    emitted_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.event IS 'Events of the last thirty days, for jobs that come to wait for them later.';

CREATE TABLE zeke_jobs.imported (
    source text NOT NULL,
    name text NOT NULL,
    source_id uuid NOT NULL,
    job uuid NOT NULL,
    imported_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.imported IS 'Jobs that were taken over from another job system, so that none is taken twice.';

COMMENT ON COLUMN zeke_jobs.imported.source IS 'The system and its schema, as in pg-boss/pgboss.';

COMMENT ON COLUMN zeke_jobs.imported.name IS 'The name of its queue there.';

CREATE TABLE zeke_jobs.installation (
    singleton boolean DEFAULT true NOT NULL,
    name text NOT NULL,
    created_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT installation_singleton CHECK (singleton)
);

COMMENT ON TABLE zeke_jobs.installation IS 'The name of the environment that owns this database.';

CREATE TABLE zeke_jobs.job_log (
    job uuid NOT NULL,
    claim bigint NOT NULL,
    attempt integer NOT NULL,
    lines text NOT NULL,
    dropped integer NOT NULL,
    written_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.job_log IS 'The last lines that attempts of a job logged, by the number of its claim.';

COMMENT ON COLUMN zeke_jobs.job_log.dropped IS 'How many earlier lines were not kept.';

CREATE TABLE zeke_jobs.step (
    job uuid NOT NULL,
    name text NOT NULL,
    result jsonb NOT NULL,
    kept_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL
);

COMMENT ON TABLE zeke_jobs.step IS 'Results of steps (ctx.step), kept as long as the row of their job.';

CREATE TABLE zeke_jobs.lock (
    name text NOT NULL
);

COMMENT ON TABLE zeke_jobs.lock IS 'Names under which one process at a time does something; see zeke_jobs.take_lock.';

CREATE TABLE zeke_jobs.purge_due (
    job uuid NOT NULL,
    purge_on timestamp with time zone NOT NULL
);

COMMENT ON TABLE zeke_jobs.purge_due IS 'When ended jobs are removed whose send said how long they are kept.';

ALTER TABLE zeke_jobs.queue ALTER COLUMN seq ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME zeke_jobs.queue_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE zeke_jobs.retention (
    singleton boolean DEFAULT true NOT NULL,
    due_on timestamp with time zone DEFAULT zeke_jobs.now() NOT NULL,
    CONSTRAINT retention_singleton CHECK (singleton)
);

COMMENT ON TABLE zeke_jobs.retention IS 'When the next purge is due. The process that moves due_on on does it.';

ALTER TABLE zeke_jobs.revision ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME zeke_jobs.revision_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE zeke_jobs.unique_holder (
    unique_key text NOT NULL,
    job uuid NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.unique_holder IS 'The newest job of each unique key. One that is gone holds nothing.';

CREATE TABLE zeke_jobs.unit_use (
    job uuid NOT NULL,
    claim bigint NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    task text NOT NULL,
    taken numeric NOT NULL,
    reported numeric
)
WITH (fillfactor='50');

COMMENT ON TABLE zeke_jobs.unit_use IS 'What active jobs took from buckets of units and money. Gone at the end of the attempt.';

CREATE TABLE zeke_jobs.wait (
    job uuid NOT NULL,
    event text NOT NULL,
    until timestamp with time zone NOT NULL,
    data jsonb,
    came_on timestamp with time zone
);

COMMENT ON TABLE zeke_jobs.wait IS 'For which events jobs wait or have waited, kept as long as the row of their job.';

COMMENT ON COLUMN zeke_jobs.wait.until IS 'When the job goes on without the event.';

COMMENT ON COLUMN zeke_jobs.wait.data IS 'What came with the event.';

ALTER TABLE ONLY zeke_jobs.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (number);

ALTER TABLE ONLY zeke_jobs.batch_open
    ADD CONSTRAINT batch_open_pkey PRIMARY KEY (batch);

ALTER TABLE ONLY zeke_jobs.batch
    ADD CONSTRAINT batch_pkey PRIMARY KEY (id);

ALTER TABLE ONLY zeke_jobs.bucket_key
    ADD CONSTRAINT bucket_key_pkey PRIMARY KEY (name, key);

ALTER TABLE ONLY zeke_jobs.bucket
    ADD CONSTRAINT bucket_pkey PRIMARY KEY (name, unit);

ALTER TABLE ONLY zeke_jobs.cost
    ADD CONSTRAINT cost_pkey PRIMARY KEY (job);

ALTER TABLE ONLY zeke_jobs.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (name);

ALTER TABLE ONLY zeke_jobs.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (id);

ALTER TABLE ONLY zeke_jobs.imported
    ADD CONSTRAINT imported_pkey PRIMARY KEY (source, source_id, name);

ALTER TABLE ONLY zeke_jobs.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY zeke_jobs.job_log
    ADD CONSTRAINT job_log_pkey PRIMARY KEY (job, claim);

ALTER TABLE ONLY zeke_jobs.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name, job);

ALTER TABLE ONLY zeke_jobs.lock
    ADD CONSTRAINT lock_pkey PRIMARY KEY (name);

ALTER TABLE ONLY zeke_jobs.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (package, name);

ALTER TABLE ONLY zeke_jobs.pause
    ADD CONSTRAINT pause_pkey PRIMARY KEY (target);

ALTER TABLE ONLY zeke_jobs.purge_due
    ADD CONSTRAINT purge_due_pkey PRIMARY KEY (job);

ALTER TABLE ONLY zeke_jobs.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (message_id);

ALTER TABLE ONLY zeke_jobs.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY zeke_jobs.revision
    ADD CONSTRAINT revision_pkey PRIMARY KEY (number);

ALTER TABLE ONLY zeke_jobs.schedule_beat
    ADD CONSTRAINT schedule_beat_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY zeke_jobs.schedule_state
    ADD CONSTRAINT schedule_state_pkey PRIMARY KEY (task);

ALTER TABLE ONLY zeke_jobs.step
    ADD CONSTRAINT step_pkey PRIMARY KEY (job, name);

ALTER TABLE ONLY zeke_jobs.stored_schedule
    ADD CONSTRAINT stored_schedule_pkey PRIMARY KEY (name);

ALTER TABLE ONLY zeke_jobs.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);

ALTER TABLE ONLY zeke_jobs.tick
    ADD CONSTRAINT tick_pkey PRIMARY KEY (task, scheduled_for);

ALTER TABLE ONLY zeke_jobs.unique_holder
    ADD CONSTRAINT unique_holder_pkey PRIMARY KEY (unique_key);

ALTER TABLE ONLY zeke_jobs.unit_use
    ADD CONSTRAINT unit_use_pkey PRIMARY KEY (job, name, unit);

ALTER TABLE ONLY zeke_jobs.wait
    ADD CONSTRAINT wait_pkey PRIMARY KEY (job, event);

ALTER TABLE ONLY zeke_jobs.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (id);

CREATE INDEX audit_done ON zeke_jobs.audit USING btree (done_on);

CREATE INDEX batch_change_batch ON zeke_jobs.batch_change USING btree (batch);

CREATE INDEX batch_change_xact ON zeke_jobs.batch_change USING btree (xact);

CREATE INDEX batch_unended ON zeke_jobs.batch USING btree (created_on) WHERE ((ended_on IS NULL) AND (cancelled_on IS NULL));

CREATE INDEX breaker_end_window ON zeke_jobs.breaker_end USING btree (name, ended_on);

CREATE INDEX bucket_breaker ON zeke_jobs.bucket USING btree (name) WHERE (breaker_pause IS NOT NULL);

CREATE INDEX bucket_change_name ON zeke_jobs.bucket_change USING btree (name);

CREATE INDEX cost_reported ON zeke_jobs.cost USING btree (reported_on);

CREATE INDEX event_emitted ON zeke_jobs.event USING btree (emitted_on);

CREATE INDEX history_cost ON zeke_jobs.history USING btree (completed_on) WHERE (cost IS NOT NULL);

CREATE INDEX history_purged ON zeke_jobs.history USING btree (purged_on);

CREATE INDEX history_task ON zeke_jobs.history USING btree (name, completed_on);

CREATE INDEX purge_due_on ON zeke_jobs.purge_due USING btree (purge_on);

CREATE INDEX queue_active ON zeke_jobs.queue USING btree (task, key) WHERE (state = 'consumed'::zeke_jobs.state);

CREATE INDEX queue_apart ON zeke_jobs.queue USING btree (deaths, expires_on) WHERE ((state = 'queued'::zeke_jobs.state) AND ((deaths > 1) OR (expires_on IS NOT NULL)));

CREATE INDEX queue_batch ON zeke_jobs.queue USING btree (((extra ->> 'batch'::text))) WHERE ((extra ->> 'batch'::text) IS NOT NULL);

CREATE INDEX queue_created ON zeke_jobs.queue USING btree (created_on);

CREATE INDEX queue_ended ON zeke_jobs.queue USING btree (task, state, completed_on) WHERE (state = ANY (ARRAY['done'::zeke_jobs.state, 'rejected'::zeke_jobs.state]));

CREATE INDEX queue_line ON zeke_jobs.queue USING btree (task, key, seq) WHERE ((order_hold IS NOT NULL) AND ((state = ANY (ARRAY['queued'::zeke_jobs.state, 'consumed'::zeke_jobs.state])) OR (order_hold AND (state = 'rejected'::zeke_jobs.state) AND (cancelled_on IS NULL))));

CREATE INDEX queue_parent ON zeke_jobs.queue USING btree (parent) WHERE (parent IS NOT NULL);

CREATE INDEX queue_ready ON zeke_jobs.queue USING btree (queue_name, task, priority DESC, run_at, seq) WHERE (state = 'queued'::zeke_jobs.state);

CREATE INDEX queue_ready_key ON zeke_jobs.queue USING btree (queue_name, task, key, priority DESC, run_at, seq) WHERE ((state = 'queued'::zeke_jobs.state) AND (key IS NOT NULL));

CREATE INDEX revision_digest ON zeke_jobs.revision USING btree (digest);

CREATE INDEX tick_decided ON zeke_jobs.tick USING btree (decided_on);

CREATE INDEX unique_holder_job ON zeke_jobs.unique_holder USING btree (job);

CREATE INDEX wait_event ON zeke_jobs.wait USING btree (event) WHERE (came_on IS NULL);

CREATE TRIGGER job_write INSTEAD OF INSERT OR DELETE OR UPDATE ON pgboss.job FOR EACH ROW EXECUTE FUNCTION zeke_jobs.write_pgboss();

CREATE TRIGGER schedule_write INSTEAD OF DELETE ON pgboss.schedule FOR EACH ROW EXECUTE FUNCTION zeke_jobs.write_pgboss();

CREATE TRIGGER audit_append BEFORE DELETE OR UPDATE ON zeke_jobs.audit FOR EACH ROW EXECUTE FUNCTION zeke_jobs.refuse_to_rewrite();

CREATE TRIGGER audit_keep BEFORE TRUNCATE ON zeke_jobs.audit FOR EACH STATEMENT EXECUTE FUNCTION zeke_jobs.refuse_to_rewrite();

CREATE CONSTRAINT TRIGGER batch_add_up AFTER INSERT ON zeke_jobs.batch_change DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((NOT new.is_sent)) EXECUTE FUNCTION zeke_jobs.add_up_batches();

CREATE CONSTRAINT TRIGGER event_deliver AFTER INSERT OR UPDATE ON zeke_jobs.event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION zeke_jobs.deliver_event();

CREATE TRIGGER queue_adopt_insert BEFORE INSERT ON zeke_jobs.queue FOR EACH ROW WHEN ((new.revision IS NULL)) EXECUTE FUNCTION zeke_jobs.adopt();

CREATE TRIGGER queue_adopt_update BEFORE UPDATE OF message ON zeke_jobs.queue FOR EACH ROW WHEN (((new.mtime = old.mtime) AND (new.state = 'queued'::zeke_jobs.state))) EXECUTE FUNCTION zeke_jobs.adopt();
