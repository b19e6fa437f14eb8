-- These functions choose the jobs for a worker process.

CREATE OR REPLACE AGGREGATE zeke_jobs.join_arrays(anycompatiblearray) (SFUNC = array_cat, STYPE = anycompatiblearray);

-- Return the rank of a waiting job: its priority, plus one for each p_age that has passed since the job became due.
CREATE OR REPLACE FUNCTION zeke_jobs.risen(p_priority integer, p_run_at timestamptz, p_age interval, p_now timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN p_age IS NULL THEN p_priority ELSE p_priority + floor(extract(epoch FROM p_now - p_run_at) / extract(epoch FROM p_age))::bigint END $$;

-- Return whether a due job may run concurrently with others: at most one process died while it ran the job, and a first attempt is within its start deadline.
CREATE OR REPLACE FUNCTION zeke_jobs.may_start(p_deaths integer, p_expires_on timestamptz, p_attempt integer, p_now timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT p_deaths < 2 AND (p_expires_on IS NULL OR p_expires_on > p_now OR p_attempt > 0) $$;

-- For each task in p_tasks, return the first queued job of each priority, for at most a thousand priorities. Each job costs one index lookup. A caller that
-- knows the queue's first job passes that job's columns (p_task, ..., p_seq), so that the dead index entries before that job are not read again.
CREATE OR REPLACE FUNCTION zeke_jobs.first_jobs(p_queue text, p_tasks text[], p_task text DEFAULT '',
  p_priority integer DEFAULT NULL, p_run_at timestamptz DEFAULT NULL,
  p_seq bigint DEFAULT NULL) RETURNS SETOF zeke_jobs.first_job LANGUAGE sql STABLE AS $$
  WITH RECURSIVE level (task, n, priority, run_at, seq) AS (
    SELECT p_task, CASE WHEN p_task = ANY (p_tasks) THEN 1 END, p_priority, p_run_at, p_seq
    UNION ALL
    SELECT h.* FROM level AS l CROSS JOIN LATERAL (
      (
        SELECT q.task, l.n + 1, q.priority, q.run_at, q.seq FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = l.task AND l.n < 1000 AND q.priority < l.priority
        ORDER BY q.priority DESC, q.run_at, q.seq LIMIT 1
      )
      UNION ALL
      (
        SELECT q.task, CASE WHEN q.task = ANY (p_tasks) THEN 1 END, q.priority, q.run_at, q.seq FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task > l.task
          AND q.task >= CASE WHEN l.n IS NULL THEN (SELECT min(n.name) FROM unnest(p_tasks) AS n (name) WHERE n.name > l.task) ELSE l.task END
        ORDER BY q.task, q.priority DESC, q.run_at, q.seq LIMIT 1
      )
      LIMIT 1) AS h
  )
  SELECT l.task, l.priority, l.run_at, l.seq FROM level AS l WHERE l.n IS NOT NULL $$;

-- Return the row of the job that comes next for a key in strict order: the oldest job that has not ended, or that has failed and blocks the key.
CREATE OR REPLACE FUNCTION zeke_jobs.first_in_line(p_task text, p_key text) RETURNS tid
LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN (
  SELECT q.ctid FROM zeke_jobs.queue AS q
  WHERE q.order_hold IS NOT NULL AND (q.state IN ('queued', 'consumed') OR q.order_hold AND q.state = 'rejected' AND q.cancelled_on IS NULL)
    AND q.task = p_task AND q.key = p_key
  ORDER BY q.seq LIMIT 1); END $$;

-- Claim up to p_want due jobs of the tasks p_tasks in a queue, within the limits. The jobs of one task and priority form a group. The group whose oldest job
-- has the highest rank (computed by zeke_jobs.risen) comes first; groups of equal rank take turns. p_is_empty is true if the process holds no job; only then
-- may it claim a job that must run alone. p_free is the number of free threads minus the jobs that wait for one. Of a task with limits, claim at most p_ahead
-- jobs more than p_free, because other processes may have free threads. Return a row of kind job for each claimed job; the column reason is chunk if the job
-- runs in a chunk. Return a row of kind held for each reason why due jobs cannot start; wait is the number of seconds until they can start, or NULL if they
-- wait for the end of a job. message is NULL for a long Dramatiq message, because the limits stay locked until the process has read all rows.
CREATE OR REPLACE FUNCTION zeke_jobs.claim(
  p_worker uuid, p_queue text, p_tasks text[], p_want integer, p_revision integer DEFAULT NULL, p_is_empty boolean DEFAULT false,
  p_free integer DEFAULT NULL, p_ahead integer DEFAULT 0)
RETURNS SETOF zeke_jobs.claimed
-- Conditions on jobs use scalar subqueries: the planner turns EXISTS into a join that reads all queued jobs if it believes that the table is small.
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_due zeke_jobs.first_job[]; -- the first due job of each task and priority
  v_ranks bigint[]; -- the ranks of the jobs in v_due
  v_first zeke_jobs.first_job; -- the job in v_due whose task and priority are served next
  v_limits text[];
  v_held zeke_jobs.claimed[]; -- the rows to return for tasks whose concurrency limit is reached
  v_metered boolean;
  v_rooms zeke_jobs.limit_room[]; -- how many jobs may start under each limit; NULL if a claim has made this out of date
  v_apart record;
  v_place tid; -- the row of a job that must run alone
  v_at integer := 1;
  v_left integer := p_want;
  v_free integer := coalesce(p_free, p_want);
  v_one record; -- the task of v_first and the tightest limit of the task
  v_peers integer; v_served integer := 0; -- the number of groups of equal rank, and how many of these groups this turn has served
  v_share integer;
  v_places tid[];
  v_opens timestamptz; -- when the next job of a key, or the chunk, may start
BEGIN
  SELECT q.task, q.priority, q.run_at, q.seq INTO v_first FROM zeke_jobs.queue AS q
  WHERE q.state = 'queued' AND q.queue_name = p_queue ORDER BY q.task, q.priority DESC, q.run_at, q.seq LIMIT 1;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT d.* INTO v_due, v_ranks, v_limits, v_metered, v_held FROM zeke_jobs.due_tasks(p_queue, p_tasks, v_first, v_now) AS d;
  IF v_held IS NOT NULL THEN
    RETURN QUERY SELECT h.* FROM unnest(v_held) AS h;
    UPDATE zeke_jobs.worker AS w SET alone = false WHERE v_due IS NULL AND w.id = p_worker AND w.alone; -- no job that must run alone is left
  END IF;
  IF v_due IS NULL THEN RETURN; END IF;
  -- If a crash undoes this claim, the job is queued again, so the commit need not wait for the disk. The WAL cannot lose the claim but keep the job's end.
  PERFORM set_config('synchronous_commit', 'off', true);
  -- After this lock, statements see the limits as the last claim left them.
  PERFORM 1 FROM zeke_jobs.bucket AS b WHERE b.name = ANY (v_limits) ORDER BY b.name, b.unit FOR NO KEY UPDATE;
  v_now := zeke_jobs.now();
  PERFORM zeke_jobs.add_up_changes(v_limits, v_now), zeke_jobs.turn_breakers(v_limits, v_now) WHERE v_metered;
  -- This ORDER BY makes the planner use the index queue_apart even without statistics.
  IF (SELECT q.deaths FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.deaths > 1 ORDER BY q.deaths, q.expires_on LIMIT 1) IS NOT NULL
    OR EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = p_worker AND w.alone)
  THEN
    v_apart := zeke_jobs.find_apart(p_worker, p_queue, ARRAY(SELECT d.task FROM unnest(v_due) AS d), p_is_empty, v_now);
    IF v_apart.must_empty THEN
      RETURN NEXT zeke_jobs.held_back(v_apart.task, NULL, 'alone', NULL, v_now); -- this process must first finish its other jobs
      RETURN;
    ELSIF v_apart.place IS NOT NULL THEN
      SELECT ARRAY[(v_apart.task, NULL, NULL, NULL)::zeke_jobs.first_job], v_apart.place, 1 INTO v_due, v_place, v_left;
    END IF;
  END IF;
  WHILE v_at <= cardinality(v_due) AND v_left > 0 LOOP
    v_rooms := coalesce(v_rooms, CASE WHEN v_limits = '{}' THEN '{}' ELSE ARRAY(SELECT r FROM zeke_jobs.room(v_limits, v_now) AS r) END);
    v_first := v_due[v_at];
    SELECT t.id, t.aliases, t.limits, t.per_key, t.order_hold, t.share, t.metered, t.on_time, CASE WHEN t.chunk IS NOT NULL THEN 'chunk' END AS chunk, r.* INTO v_one
    FROM zeke_jobs.task AS t LEFT JOIN unnest(v_rooms) AS r ON r.name = ANY (t.limits)
    WHERE t.id = v_first.task AND NOT t.paused ORDER BY r.room LIMIT 1;
    IF NOT FOUND OR NOT v_one.limits <@ v_limits THEN
      -- A new jobs.yaml was applied before the limits were locked. The tasks may have other limits now, so the caller claims again.
      RETURN NEXT zeke_jobs.held_back(NULL, 'revision', 'revision', v_now, v_now);
      RETURN;
    ELSIF v_one.room <= 0 OR v_one.room > 0 AND v_free + p_ahead <= 0 OR v_one.chunk IS NOT NULL AND v_free <= 0 THEN
      RETURN NEXT zeke_jobs.held_back(v_one.id, v_one.name, CASE WHEN v_one.room <= 0 THEN v_one.reason ELSE 'thread' END, v_one.opens_on, v_now);
      v_at := v_at + 1;
      v_served := 0;
      CONTINUE;
    END IF;
    v_peers := CASE WHEN v_at = cardinality(v_due) THEN 1 ELSE cardinality(array_positions(v_ranks[v_at:], v_ranks[v_at])) END;
    v_share := least(ceil(least(v_left, v_one.room)::numeric / greatest(1, v_peers - v_served)), CASE WHEN v_one.room > 0 THEN v_free + p_ahead END,
      CASE v_one.chunk WHEN 'chunk' THEN 1 END);
    IF v_place IS NOT NULL THEN
      v_places := ARRAY(SELECT q.ctid FROM zeke_jobs.queue AS q WHERE q.ctid = v_place AND q.state = 'queued' FOR UPDATE SKIP LOCKED);
    ELSIF v_one.chunk IS NOT NULL THEN
      SELECT c.places, c.reason, c.opens_on INTO v_places, v_one.reason, v_opens
      FROM zeke_jobs.pick_chunk(p_queue, v_one.id, v_first.priority, v_first.run_at, v_first.seq, p_revision, v_now) AS c;
      IF v_places = '{}' THEN RETURN NEXT zeke_jobs.held_back(v_one.id, 'task/' || v_one.id, v_one.reason, v_opens, v_now); END IF;
    ELSIF v_one.per_key IS NOT NULL OR v_one.order_hold IS NOT NULL THEN
      SELECT k.places, k.reason, k.opens_on INTO v_places, v_one.reason, v_opens
      FROM zeke_jobs.pick_by_key(p_queue, v_one.id, v_one.id || v_one.aliases, v_one.per_key, v_one.order_hold IS NOT NULL, v_first.priority, v_share, v_now) AS k;
      IF cardinality(v_places) < v_share AND v_one.reason IS NOT NULL THEN
        RETURN NEXT zeke_jobs.held_back(v_one.id, 'task/' || v_one.id, v_one.reason, v_opens, v_now);
      END IF;
    ELSIF v_one.share IS NOT NULL THEN
      v_places := zeke_jobs.pick_in_turn(p_queue, v_one.id, v_one.share, v_first.priority, v_first.run_at, v_share, v_now);
    ELSE
      v_places := ARRAY(
        SELECT q.ctid FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = v_one.id AND q.priority = v_first.priority AND q.run_at <= v_now
          AND (q.run_at, q.seq) >= (v_first.run_at, v_first.seq) AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, v_now)
        ORDER BY q.run_at, q.seq LIMIT v_share FOR UPDATE SKIP LOCKED);
    END IF;
    v_now := zeke_jobs.now(); -- every job that no longer counts in the limits ended before this time, so recorded times never overlap
    IF v_one.metered AND v_places <> '{}' THEN PERFORM zeke_jobs.take(v_one.id, v_one.limits, v_places, v_now); END IF;
    RETURN QUERY
      UPDATE zeke_jobs.queue AS q
      SET state = 'consumed', claim = q.claim + 1, worker = p_worker, claimed_on = v_now, started_on = NULL, mtime = v_now,
        revision = coalesce(p_revision, q.revision)
      FROM unnest(v_places) AS p (place) WHERE q.ctid = p.place
      RETURNING 'job', q.message_id, q.claim, q.task, CASE WHEN pg_column_size(q.message) <= 2000 THEN q.message::text END, q.attempt, q.attempt_base,
        q.deaths, q.revision, q.parent, q.scheduled_for, q.claimed_on, q.sensitive, v_one.on_time, NULL::text, v_one.chunk, NULL::double precision;
    v_left := v_left - least(cardinality(v_places), v_share);
    EXIT WHEN v_left = 0;
    v_free := v_free - least(cardinality(v_places), v_share);
    v_rooms := CASE WHEN NOT v_one.metered THEN ARRAY(
      SELECT (r.name, r.unit, r.room - CASE WHEN r.name = ANY (v_one.limits) THEN least(cardinality(v_places), v_share) ELSE 0 END, r.reason, r.opens_on
      )::zeke_jobs.limit_room FROM unnest(v_rooms) AS r) END;
    v_served := CASE WHEN v_served + 1 >= v_peers THEN 0 ELSE v_served + (cardinality(v_places) >= v_share)::integer END;
    IF cardinality(v_places) < v_share THEN
      v_at := v_at + 1;
    ELSE
      v_due := v_due[:v_at - 1] || v_due[v_at + 1:v_at + v_peers - 1] || v_first || v_due[v_at + v_peers:];
    END IF;
  END LOOP;
END $$;

-- Return the first due job of each task and priority, sorted by rank (zeke_jobs.risen), the highest first, and the limits of these tasks. Leave out paused
-- tasks. For a task at its concurrency limit, return a row in held instead; this limit needs no lock, because the end of a job wakes this process.
CREATE OR REPLACE FUNCTION zeke_jobs.due_tasks(p_queue text, p_tasks text[], p_first zeke_jobs.first_job,
  p_now timestamptz, OUT due zeke_jobs.first_job[], OUT ranks bigint[], OUT limits text[], OUT metered boolean,
  OUT held zeke_jobs.claimed[]) LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_full text[]; -- the limits whose concurrency is reached
BEGIN
  SELECT array_agg(l.first), array_agg(l.rank), zeke_jobs.join_arrays(l.limits), bool_or(l.metered) INTO due, ranks, limits, metered
  FROM (
    SELECT l AS first, t.limits, t.metered, zeke_jobs.risen(l.priority, l.run_at, t.age, p_now) AS rank
    FROM zeke_jobs.first_jobs(p_queue, p_tasks, p_first.task, p_first.priority, p_first.run_at, p_first.seq) AS l JOIN zeke_jobs.task AS t ON t.id = l.task
    WHERE l.run_at <= p_now AND t.queue = p_queue AND NOT t.paused
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target IN ('task/' || t.id, 'queue/' || p_queue) OR p.target = ANY (t.limits))
    ORDER BY rank DESC, random()) AS l;
  IF cardinality(due) > 1 THEN
    v_full := ARRAY(SELECT r.name FROM zeke_jobs.room(limits, p_now) AS r WHERE r.room <= 0 AND r.reason = 'concurrency');
  END IF;
  IF v_full <> '{}' THEN
    held := ARRAY(
      SELECT zeke_jobs.held_back(t.id, n.name, 'concurrency', NULL, p_now)
      FROM unnest(due) AS d JOIN zeke_jobs.task AS t ON t.id = d.task CROSS JOIN unnest(t.limits) AS n (name) WHERE n.name = ANY (v_full));
    SELECT array_agg((d.task, d.priority, d.run_at, d.seq)::zeke_jobs.first_job ORDER BY d.n), array_agg(ranks[d.n] ORDER BY d.n),
      zeke_jobs.join_arrays(t.limits), bool_or(t.metered)
    INTO due, ranks, limits, metered
    FROM unnest(due) WITH ORDINALITY AS d (task, priority, run_at, seq, n) JOIN zeke_jobs.task AS t ON t.id = d.task
    WHERE NOT t.limits && v_full;
  END IF;
END $$;

-- Make the row that a claim returns for a task whose due jobs are held back.
CREATE OR REPLACE FUNCTION zeke_jobs.held_back(p_task text, p_by text, p_reason text, p_opens_on timestamptz, p_now timestamptz) RETURNS zeke_jobs.claimed
LANGUAGE sql STABLE AS $$
  SELECT ROW('held', NULL, NULL, p_task, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    p_by, p_reason, extract(epoch FROM p_opens_on - p_now))::zeke_jobs.claimed $$;

-- Return the tasks for which another live process of this queue was chosen to run the jobs that must run alone. If the caller holds no job (p_is_empty),
-- ignore processes that still run other jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.alone_elsewhere(p_worker uuid, p_queue text, p_is_empty boolean, p_now timestamptz) RETURNS text[]
LANGUAGE plpgsql VOLATILE AS $$ -- a VOLATILE function sees what another process has just written
BEGIN
  RETURN ARRAY(
    SELECT unnest(o.tasks) FROM zeke_jobs.worker AS o
    WHERE o.alone AND o.id <> p_worker AND p_queue = ANY (o.queues) AND NOT o.stopping AND o.heartbeat_on >= p_now - o.lost_after
      AND NOT (p_is_empty AND EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = o.id AND q.deaths < 2)));
END $$;

-- Find a due job that must run alone. For each task, one process at a time is chosen for such jobs (worker.alone). must_empty is true if the caller is chosen
-- but must first finish other jobs. place is the row of the job, if the caller holds no job and is chosen or has no other job to start; else NULL.
CREATE OR REPLACE FUNCTION zeke_jobs.find_apart(p_worker uuid, p_queue text, p_tasks text[], p_is_empty boolean,
  p_now timestamptz, OUT task text, OUT place tid, OUT must_empty boolean) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  v_elsewhere text[] := zeke_jobs.alone_elsewhere(p_worker, p_queue, p_is_empty, p_now);
  v_is_one boolean := EXISTS (SELECT 1 FROM zeke_jobs.worker AS w WHERE w.id = p_worker AND w.alone);
BEGIN
  must_empty := false;
  WITH suspect AS MATERIALIZED (
    SELECT q.*, q.ctid AS place FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.deaths > 1 ORDER BY q.deaths, q.expires_on LIMIT 1000
  ),
  open AS MATERIALIZED (
    SELECT t.* FROM (SELECT DISTINCT s.task FROM suspect AS s WHERE s.queue_name = p_queue AND s.task = ANY (p_tasks) AND s.run_at <= p_now) AS n
    JOIN zeke_jobs.task AS t ON t.id = n.task
    WHERE NOT EXISTS (SELECT 1 FROM zeke_jobs.room(t.limits, p_now) AS r WHERE r.room <= 0)
  )
  SELECT q.task, q.place INTO find_apart.task, find_apart.place FROM suspect AS q JOIN open AS t ON t.id = q.task
  WHERE q.queue_name = p_queue AND q.run_at <= p_now
    AND (t.per_key IS NULL OR q.key IS NULL
      OR t.per_key > zeke_jobs.active_of(t.id || t.aliases, CASE WHEN t.chunk IS NOT NULL THEN t.id || t.aliases END, q.key))
    AND (q.order_hold IS NULL OR q.place = zeke_jobs.first_in_line(q.task, q.key))
  ORDER BY NOT v_is_one AND q.task = ANY (v_elsewhere), q.run_at, q.seq LIMIT 1;
  IF find_apart.place IS NULL THEN
    UPDATE zeke_jobs.worker AS w SET alone = false WHERE w.id = p_worker AND w.alone;
    RETURN;
  END IF;
  IF NOT v_is_one AND find_apart.task <> ALL (v_elsewhere) THEN
    PERFORM zeke_jobs.take_lock('alone');
    v_is_one := find_apart.task <> ALL (zeke_jobs.alone_elsewhere(p_worker, p_queue, p_is_empty, p_now));
    UPDATE zeke_jobs.worker AS w SET alone = w.id = p_worker
    WHERE v_is_one AND (w.id = p_worker OR w.alone AND p_queue = ANY (w.queues) AND find_apart.task = ANY (w.tasks));
  END IF;
  must_empty := v_is_one AND NOT p_is_empty;
  IF NOT p_is_empty OR NOT v_is_one AND EXISTS (
    SELECT 1 FROM zeke_jobs.task AS t
    WHERE t.id = ANY (p_tasks) AND NOT EXISTS (SELECT 1 FROM zeke_jobs.room(t.limits, p_now) AS r WHERE r.room <= 0) AND EXISTS (
      SELECT 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = t.id AND q.run_at <= p_now AND q.deaths < 2))
  THEN
    find_apart.place := NULL;
  END IF;
END $$;

-- Return in order at most p_most keys of a task's queued jobs, beginning after the key p_key.
CREATE OR REPLACE FUNCTION zeke_jobs.keys_after(p_queue text, p_task text, p_key text, p_most integer) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE present (key, n) AS (
    SELECT p_key, 0
    UNION ALL
    SELECT (SELECT q.key FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.key IS NOT NULL AND q.key > p.key
      ORDER BY q.key LIMIT 1), p.n + 1
    FROM present AS p WHERE p.key IS NOT NULL AND p.n < p_most
  )
  SELECT p.key FROM present AS p WHERE p.n > 0 AND p.key IS NOT NULL ORDER BY p.n $$;

-- Lock at most p_most due jobs of one task and priority, with fair shares for the jobs' keys: beginning where the last claim stopped, lock as many jobs of each
-- key as its weight. After a hundred keys in a row without a due job, lock the oldest jobs instead. p_from is when the first of these jobs became due.
CREATE OR REPLACE FUNCTION zeke_jobs.pick_in_turn(p_queue text, p_task text, p_share jsonb, p_priority integer,
  p_from timestamptz, p_most integer, p_now timestamptz) RETURNS tid[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_places tid[] := '{}';
  v_key text; v_taken integer; -- the key whose turn it is, and how many jobs the key has had in this turn
  v_keys text[]; -- v_key and the keys after it
  v_has_all boolean := false; -- whether v_keys has all keys
  v_turns integer := 1; -- how many turns of a key one query combines
  v_more record; -- the jobs found for v_keys
  v_passed integer := 0; -- the number of keys tried since the last job was found
BEGIN
  IF p_most < (SELECT count(*) FROM (
    SELECT 1 FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.priority = p_priority AND q.run_at BETWEEN p_from AND p_now
      AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now)
    ORDER BY q.run_at, q.seq LIMIT p_most + 1) AS d)
  THEN
    SELECT b.key_cursor, b.key_taken INTO v_key, v_taken FROM zeke_jobs.bucket AS b WHERE b.name = 'task/' || p_task AND b.unit = 'jobs';
    WHILE cardinality(v_places) < p_most AND v_passed < 100 LOOP
      IF NOT v_has_all THEN
        v_keys := v_key || ARRAY(SELECT k.key FROM zeke_jobs.keys_after(p_queue, p_task, v_key, p_most) AS k (key));
      END IF;
      SELECT coalesce(array_agg(f.place), '{}') AS places, array_agg(f.key) AS keys INTO v_more FROM (
        SELECT r.place, k.key FROM unnest(v_keys) WITH ORDINALITY AS k (key, n) CROSS JOIN LATERAL (
          SELECT q.ctid AS place FROM zeke_jobs.queue AS q
          WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.key IS NOT NULL AND q.key BETWEEN k.key AND k.key
            AND q.priority = p_priority AND q.run_at BETWEEN p_from AND p_now AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now)
            AND q.ctid <> ALL (v_places)
          -- This ORDER BY and the range of keys make the planner use the index queue_ready_key even without statistics.
          ORDER BY q.key, q.run_at, q.seq
          LIMIT v_turns * greatest(0, coalesce((p_share #>> ARRAY['weights', k.key])::integer, 1) - CASE k.n WHEN 1 THEN v_taken ELSE 0 END)
          FOR UPDATE SKIP LOCKED) AS r
        LIMIT p_most - cardinality(v_places)) AS f;
      v_places := v_places || v_more.places;
      v_passed := CASE WHEN v_more.places = '{}' THEN v_passed + cardinality(v_keys) ELSE 0 END;
      IF cardinality(v_places) = p_most THEN
        v_key := v_more.keys[cardinality(v_more.keys)];
        v_taken := cardinality(array_positions(v_more.keys, v_key)) + CASE v_key WHEN v_keys[1] THEN v_taken ELSE 0 END;
      ELSIF cardinality(v_keys) > p_most THEN
        SELECT v_keys[cardinality(v_keys)], 1000 INTO v_key, v_taken; -- the last key has had its turn
      ELSE
        -- Once all keys have had one turn, one query locks the jobs of several turns of each key.
        v_has_all := v_key = '';
        v_turns := CASE WHEN v_has_all THEN greatest(1, v_turns * (p_most - cardinality(v_places)) / greatest(1, cardinality(v_more.places))) ELSE 1 END;
        SELECT '', 0 INTO v_key, v_taken;
      END IF;
    END LOOP;
    UPDATE zeke_jobs.bucket AS b SET key_cursor = v_key, key_taken = v_taken WHERE b.name = 'task/' || p_task AND b.unit = 'jobs';
  END IF;
  IF cardinality(v_places) < p_most THEN
    v_places := v_places || ARRAY(
      SELECT q.ctid FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.priority = p_priority AND q.run_at BETWEEN p_from AND p_now
        AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now) AND q.ctid <> ALL (v_places)
      ORDER BY q.run_at, q.seq LIMIT p_most - cardinality(v_places) FOR UPDATE SKIP LOCKED);
  END IF;
  RETURN v_places;
END $$;

-- Return how many jobs of a key may start now. p_step and p_slack belong to the task's rate per key (see 04_limits.sql).
CREATE OR REPLACE FUNCTION zeke_jobs.room_of_key(
  p_task text, p_names text[], p_per_key integer, p_step double precision, p_slack double precision, p_key text, p_now timestamptz) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN greatest(0, least(
    coalesce(p_per_key, 1000000) - zeke_jobs.active_of(p_names, NULL, p_key),
    CASE WHEN p_step IS NOT NULL THEN zeke_jobs.ready_units(coalesce(
      (SELECT k.next_at FROM zeke_jobs.bucket_key AS k WHERE k.name = 'task/' || p_task AND k.key = p_key), '-infinity'), p_step, p_slack, p_now) END));
END $$;

-- Lock at most p_most due jobs of one task and priority that may start under the limits per key (concurrency, rate) and in strict order. First try the keys of
-- the oldest jobs, in random order, then hundreds of other keys, beginning where the last claim stopped. reason is 'key' if due jobs are left.
CREATE OR REPLACE FUNCTION zeke_jobs.pick_by_key(p_queue text, p_task text, p_names text[], p_per_key integer,
  p_is_strict boolean, p_priority integer, p_most integer, p_now timestamptz, OUT places tid[], OUT reason text,
  OUT opens_on timestamptz) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  c_oldest CONSTANT integer := 200;
  c_keys CONSTANT integer := 500;
  v_oldest text[] := ARRAY(
    SELECT q.key FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.priority = p_priority AND q.run_at <= p_now
      AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now)
    ORDER BY q.run_at, q.seq LIMIT c_oldest);
  v_tried text[] := ARRAY(SELECT k.key FROM (SELECT DISTINCT o.key FROM unnest(v_oldest) AS o (key) WHERE o.key IS NOT NULL) AS k ORDER BY random());
  v_keys text[] := v_tried;
  v_found text[]; -- the keys that the search found last
  v_last text; -- the key where the search stopped, or NULL while only the keys of the oldest jobs were tried
  v_some integer := 2 * p_most; -- how many keys are tried at once
  v_searched integer := 0;
  v_limit record;
BEGIN
  SELECT b.key_step, b.key_slack, b.key_cursor INTO v_limit FROM zeke_jobs.bucket AS b WHERE b.name = 'task/' || p_task AND b.unit = 'jobs';
  places := ARRAY(
    SELECT q.ctid FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.priority = p_priority AND q.run_at <= p_now
      AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now) AND q.key IS NULL
    ORDER BY q.run_at, q.seq LIMIT CASE WHEN array_position(v_oldest, NULL) IS NOT NULL THEN p_most ELSE 0 END FOR UPDATE SKIP LOCKED);
  LOOP
    IF p_is_strict THEN
      places := places || ARRAY(
        SELECT r.place FROM unnest(v_keys) AS k (key)
        CROSS JOIN LATERAL (SELECT zeke_jobs.first_in_line(p_task, k.key) AS place OFFSET 0) AS f CROSS JOIN LATERAL (
          SELECT q.ctid AS place FROM zeke_jobs.queue AS q
          WHERE q.ctid = f.place AND q.state = 'queued' AND q.queue_name = p_queue AND q.priority = p_priority
            AND q.run_at <= p_now AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now)
          LIMIT least(1, zeke_jobs.room_of_key(p_task, p_names, p_per_key, v_limit.key_step, v_limit.key_slack, k.key, p_now)) FOR UPDATE SKIP LOCKED
        ) AS r
        LIMIT p_most - cardinality(places));
    ELSE
      places := places || ARRAY(
        SELECT r.place FROM unnest(v_keys) AS k (key) CROSS JOIN LATERAL (
          SELECT q.ctid AS place FROM zeke_jobs.queue AS q
          WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.key IS NOT NULL AND q.key BETWEEN k.key AND k.key
            AND q.priority = p_priority AND q.run_at <= p_now AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now)
          ORDER BY q.key, q.run_at, q.seq -- the planner needs this order, as in pick_in_turn
          LIMIT zeke_jobs.room_of_key(p_task, p_names, p_per_key, v_limit.key_step, v_limit.key_slack, k.key, p_now) FOR UPDATE SKIP LOCKED
        ) AS r
        LIMIT p_most - cardinality(places));
    END IF;
    IF v_limit.key_step IS NOT NULL AND cardinality(places) < p_most THEN
      opens_on := least(opens_on, (
        SELECT min(b.next_at) FROM zeke_jobs.bucket_key AS b WHERE b.name = 'task/' || p_task AND b.key = ANY (v_keys) AND b.next_at > p_now));
    END IF;
    IF v_last IS NULL THEN
      reason := CASE WHEN cardinality(v_oldest) = c_oldest OR cardinality(v_oldest) > cardinality(places) THEN 'key' END;
      EXIT WHEN cardinality(places) >= p_most OR cardinality(v_oldest) < c_oldest;
      v_last := coalesce(v_limit.key_cursor, '');
    ELSIF cardinality(places) >= p_most THEN
      v_last := (SELECT q.key FROM zeke_jobs.queue AS q WHERE q.ctid = places[cardinality(places)]);
      EXIT;
    ELSE
      v_searched := v_searched + v_some;
      v_last := CASE WHEN cardinality(v_found) < v_some THEN '' ELSE v_found[v_some] END;
      IF v_last = '' OR v_searched >= c_keys THEN
        -- If not all keys were tried, the process claims again soon.
        opens_on := CASE WHEN v_last = '' AND v_limit.key_cursor = '' THEN opens_on ELSE p_now + interval '50 milliseconds' END;
        EXIT;
      END IF;
      v_some := least(4 * v_some, c_keys);
    END IF;
    v_found := ARRAY(SELECT k.key FROM zeke_jobs.keys_after(p_queue, p_task, v_last, v_some) AS k (key));
    v_keys := ARRAY(SELECT k.key FROM unnest(v_found) AS k (key) WHERE k.key <> ALL (v_tried));
  END LOOP;
  UPDATE zeke_jobs.bucket AS b SET key_cursor = v_last WHERE b.name = 'task/' || p_task AND b.unit = 'jobs' AND b.key_cursor <> v_last;
END $$;

-- Lock the jobs of the next chunk (one call of a handler): a full chunk, or all due jobs if the oldest has waited long enough. With `by: key`, all its jobs
-- have the same key, and the keys take turns. If no chunk can start, reason says why. If p_revision is older than the task's, a chunk has one job.
CREATE OR REPLACE FUNCTION zeke_jobs.pick_chunk(p_queue text, p_task text, p_priority integer, p_from timestamptz,
  p_from_seq bigint, p_revision integer, p_now timestamptz, OUT places tid[], OUT reason text, OUT opens_on timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  c_keys CONSTANT integer := 500;
  v_task zeke_jobs.task;
  v_size integer;
  v_wait interval;
  v_key text; -- the key to try, at first the key of the last chunk
  v_first text;
  v_since timestamptz;
  v_found tid[];
BEGIN
  SELECT t.* INTO v_task FROM zeke_jobs.task AS t WHERE t.id = p_task;
  v_wait := CASE WHEN p_revision >= v_task.revision THEN (v_task.chunk ->> 'wait')::interval ELSE '0' END;
  -- A chunk has at most as many jobs as may ever start together under the limits.
  v_size := greatest(1, least(CASE WHEN p_revision < v_task.revision THEN 1 ELSE (v_task.chunk ->> 'size')::integer END, (
    SELECT floor(min(CASE b.unit WHEN 'jobs' THEN 1 + (b.slack / b.step)::numeric
      ELSE b.amount / nullif(coalesce((b.averages ->> p_task)::numeric, (v_task.units ->> b.unit)::numeric), 0) END))
    FROM zeke_jobs.bucket AS b WHERE b.name = ANY (v_task.limits) AND b.step IS NOT NULL)));
  places := '{}';
  IF v_task.chunk ->> 'by' IS NULL THEN
    SELECT array_agg(d.place), min(d.run_at) INTO v_found, v_since FROM (
      SELECT q.ctid AS place, q.run_at FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.priority = p_priority AND q.run_at <= p_now
        AND (q.run_at, q.seq) >= (p_from, p_from_seq) AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now)
      ORDER BY q.run_at, q.seq LIMIT v_size) AS d;
    IF cardinality(v_found) < v_size AND v_since + v_wait > p_now THEN
      SELECT NULL, 'company', v_since + v_wait INTO v_found, reason, opens_on;
    END IF;
  ELSE
    v_key := (SELECT b.key_cursor FROM zeke_jobs.bucket AS b WHERE b.name = 'task/' || p_task AND b.unit = 'jobs');
    FOR v_n IN 1 .. c_keys LOOP
      v_key := coalesce(
        (SELECT k.key FROM zeke_jobs.keys_after(p_queue, p_task, v_key, 1) AS k (key)), (SELECT k.key FROM zeke_jobs.keys_after(p_queue, p_task, '', 1) AS k (key)));
      EXIT WHEN v_key IS NULL OR v_key = v_first; -- all keys have been tried
      v_first := coalesce(v_first, v_key);
      SELECT array_agg(d.place), min(d.run_at) INTO v_found, v_since FROM (
        SELECT q.ctid AS place, q.run_at FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = p_task AND q.key IS NOT NULL AND q.key BETWEEN v_key AND v_key
          AND q.priority = p_priority AND q.run_at <= p_now AND zeke_jobs.may_start(q.deaths, q.expires_on, q.attempt, p_now)
        ORDER BY q.key, q.run_at, q.seq LIMIT v_size -- the planner needs this order, as in pick_in_turn
      ) AS d;
      IF cardinality(v_found) < v_size AND v_since + v_wait > p_now THEN
        SELECT NULL, coalesce(reason, 'company'), least(opens_on, v_since + v_wait) INTO v_found, reason, opens_on;
      ELSIF zeke_jobs.active_of(p_task || v_task.aliases, p_task || v_task.aliases, v_key) >= v_task.per_key THEN
        SELECT NULL, 'key' INTO v_found, reason;
      END IF;
      IF v_found IS NOT NULL OR v_n = c_keys THEN
        UPDATE zeke_jobs.bucket AS b SET key_cursor = v_key WHERE b.name = 'task/' || p_task AND b.unit = 'jobs';
        opens_on := p_now; -- the chunk of the next key may be full already
        EXIT;
      END IF;
    END LOOP;
  END IF;
  IF v_found IS NULL THEN RETURN; END IF;
  -- All jobs of a chunk start together, so the chunk waits until all of them may start under the rates.
  opens_on := (
    SELECT max(b.next_at + make_interval(secs => (cardinality(v_found) - 1) * b.step)) FROM zeke_jobs.bucket AS b
    WHERE b.name = ANY (v_task.limits) AND b.unit = 'jobs' AND b.step IS NOT NULL);
  IF opens_on > p_now THEN
    reason := 'rate';
    RETURN;
  END IF;
  places := ARRAY(SELECT q.ctid FROM zeke_jobs.queue AS q WHERE q.ctid = ANY (v_found) AND q.state = 'queued' FOR UPDATE SKIP LOCKED);
END $$;

-- Return the seconds until a queue's next job becomes due, or NULL if no job waits. The result is negative if a job became due in the last p_since seconds.
CREATE OR REPLACE FUNCTION zeke_jobs.next_due(p_queue text, p_tasks text[], p_since double precision DEFAULT 0) RETURNS double precision
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_since timestamptz := v_now - make_interval(secs => p_since);
BEGIN
  RETURN (
    SELECT extract(epoch FROM min((
      SELECT q.run_at FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.queue_name = p_queue AND q.task = l.task AND q.priority = l.priority AND q.run_at > v_since
      ORDER BY q.run_at LIMIT 1)) - v_now)
    FROM zeke_jobs.first_jobs(p_queue, p_tasks) AS l);
END $$;
