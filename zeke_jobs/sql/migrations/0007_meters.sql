-- zeke: breaking
-- Limits beside concurrency: rates, rates per key, units and budgets take amounts from meters; providers and failures close a limit.

DROP TABLE zeke_jobs.rate_use;

ALTER TABLE zeke_jobs.gate
  ADD COLUMN metered boolean NOT NULL DEFAULT false,
  ADD COLUMN least integer,
  ADD COLUMN raise_every interval,
  ADD COLUMN ceiling integer,
  ADD COLUMN lowered_on timestamptz,
  ADD COLUMN breaker_failures integer,
  ADD COLUMN breaker_share double precision,
  ADD COLUMN breaker_within interval,
  ADD COLUMN breaker_pause interval,
  ADD COLUMN closed_until timestamptz,
  ADD COLUMN closed_by text,
  ADD COLUMN closed_why text,
  ADD COLUMN tripped_on timestamptz,
  ADD COLUMN probe uuid,
  ADD CONSTRAINT gate_closed_by CHECK (closed_by IN ('throttled', 'breaker'));
COMMENT ON COLUMN zeke_jobs.gate.rate_count IS 'At most so many jobs start within rate_period: the burst of the rate.';
COMMENT ON COLUMN zeke_jobs.gate.metered IS 'A claim must note its jobs in meter_use, or look whether the gate is closed.';
COMMENT ON COLUMN zeke_jobs.gate.least IS 'The lowest concurrency that throttling may set; raise_every is the time after which it rises by one again.';
COMMENT ON COLUMN zeke_jobs.gate.ceiling IS 'The concurrency that throttling set at lowered_on; it has risen since.';
COMMENT ON COLUMN zeke_jobs.gate.closed_until IS 'No job starts before; closed_by and closed_why say why.';
COMMENT ON COLUMN zeke_jobs.gate.tripped_on IS 'The breaker is open since then; after closed_until one job at a time probes (probe).';

CREATE TABLE zeke_jobs.meter (
  gate text NOT NULL,
  unit text NOT NULL,
  per_key boolean NOT NULL DEFAULT false,
  amount numeric NOT NULL,
  period interval,
  zone text,
  CONSTRAINT meter_pkey PRIMARY KEY (gate, unit, per_key),
  CONSTRAINT meter_gate FOREIGN KEY (gate) REFERENCES zeke_jobs.gate (name) ON DELETE CASCADE,
  CONSTRAINT meter_window CHECK ((period IS NULL) <> (zone IS NULL))
);
COMMENT ON TABLE zeke_jobs.meter IS
  'What a gate lets through within a window, beside the rate in its own row: jobs of one key, units, money. Unit jobs counts jobs.';
COMMENT ON COLUMN zeke_jobs.meter.period IS 'The length of a sliding window; a meter without one begins anew each day in its zone.';

CREATE TABLE zeke_jobs.meter_use (
  gate text NOT NULL,
  unit text NOT NULL,
  key text NOT NULL DEFAULT '',
  job uuid,
  claim bigint,
  taken_on timestamptz NOT NULL,
  ends_on timestamptz NOT NULL,
  lasts interval,
  amount numeric NOT NULL,
  reported numeric,
  settled boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE zeke_jobs.meter_use IS 'Amounts that jobs took from meters; each counts until ends_on.';
COMMENT ON COLUMN zeke_jobs.meter_use.lasts IS 'How long it counts from the start of the job, or from the report of the amount.';
COMMENT ON COLUMN zeke_jobs.meter_use.amount IS 'What counts: the estimate, then what the job reported.';
COMMENT ON COLUMN zeke_jobs.meter_use.settled IS 'The attempt has ended: the amount is final.';

-- Serves the sum of a window.
CREATE INDEX meter_use_window ON zeke_jobs.meter_use (gate, unit, key, ends_on);

-- Serves the removal of what no longer counts, and the question when a gate opens.
CREATE INDEX meter_use_ends ON zeke_jobs.meter_use (gate, ends_on);

-- Serves the correction by the job.
CREATE INDEX meter_use_job ON zeke_jobs.meter_use (job) WHERE job IS NOT NULL;

ALTER TABLE zeke_jobs.meter_use SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE zeke_jobs.unit_average (
  task text NOT NULL,
  unit text NOT NULL,
  average numeric NOT NULL,
  jobs integer NOT NULL,
  CONSTRAINT unit_average_pkey PRIMARY KEY (task, unit)
) WITH (fillfactor = 50);
COMMENT ON TABLE zeke_jobs.unit_average IS 'What recent jobs of a task used of a unit, or cost: the estimate for the next ones.';

CREATE TABLE zeke_jobs.breaker_end (
  gate text NOT NULL,
  ended_on timestamptz NOT NULL,
  failed boolean NOT NULL,
  job uuid NOT NULL,
  CONSTRAINT breaker_end_gate FOREIGN KEY (gate) REFERENCES zeke_jobs.gate (name) ON DELETE CASCADE
);
COMMENT ON TABLE zeke_jobs.breaker_end IS 'Ends of jobs that a breaker counts, kept for its time.';

CREATE INDEX breaker_end_window ON zeke_jobs.breaker_end (gate, ended_on);

ALTER TABLE zeke_jobs.queue ADD COLUMN units jsonb;
COMMENT ON COLUMN zeke_jobs.queue.units IS 'What the sender expects it to use; NULL: what its task says or has learned.';

ALTER TABLE zeke_jobs.task
  ADD COLUMN metered boolean NOT NULL DEFAULT false,
  ADD COLUMN units jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN zeke_jobs.task.metered IS 'A gate of it has a meter or a breaker, or can be throttled.';
COMMENT ON COLUMN zeke_jobs.task.units IS 'What a job uses as jobs.yaml has it, until that is learned.';

-- Serves the ends of jobs, which ask whether there is anything to settle.
CREATE INDEX task_metered ON zeke_jobs.task (id) WHERE metered;

ALTER TYPE zeke_jobs.candidate ADD ATTRIBUTE metered boolean;
ALTER TYPE zeke_jobs.room ADD ATTRIBUTE by_units boolean;
ALTER TYPE zeke_jobs.room RENAME ATTRIBUTE is_rate TO is_metered;

DROP FUNCTION IF EXISTS zeke_jobs.finish(
  uuid, uuid, bigint, text, double precision, double precision, timestamptz, text, jsonb, integer, double precision);
DROP FUNCTION IF EXISTS zeke_jobs.pick(text, zeke_jobs.candidate[], integer[], integer[], timestamptz);
DROP FUNCTION IF EXISTS zeke_jobs.note_rates(zeke_jobs.room[], text[], timestamptz);
DROP FUNCTION IF EXISTS zeke_jobs.rate_opens(text[], text[], timestamptz);
DROP VIEW IF EXISTS zeke_jobs.gate_use;
