-- Claiming: choosing the jobs for a worker.

-- The next job of a key whose jobs run in strict order: the oldest job that has not ended, or that failed and holds the key.
CREATE OR REPLACE FUNCTION zeke_jobs.first_in_line(p_task text, p_key text) RETURNS tid
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
AS $$
BEGIN
  RETURN (
    SELECT q.ctid FROM zeke_jobs.queue AS q
    WHERE q.order_hold IS NOT NULL AND (q.state IN ('queued', 'consumed') OR q.order_hold AND q.state = 'rejected' AND q.cancelled_on IS NULL)
      AND q.task = p_task AND q.key = p_key
    ORDER BY q.seq LIMIT 1);
END
$$;

-- Lock up to p_quota due jobs of one task and priority whose keys have room. Keys take turns: few keys in random order, many from the key where
-- the last claim stopped. The first due job comes after (p_after_run_at, p_after_seq).
CREATE OR REPLACE FUNCTION zeke_jobs.pick_by_key(
  p_queue text, p_task text, p_priority integer, p_after_run_at timestamptz, p_after_seq bigint, p_quota integer, p_per_key integer,
  p_now timestamptz)
RETURNS tid[]
LANGUAGE plpgsql VOLATILE -- with the settings of zeke_jobs.claim, which alone calls it
AS $$
DECLARE
  -- The most keys that a claim probes. A blocked key costs some 20 microseconds, and the next claim starts at another key.
  c_probes CONSTANT integer := 500;
  c_oldest CONSTANT integer := 200;
  v_picked tid[] := '{}';
  v_found tid[];
  v_oldest text[] := ARRAY(
    SELECT q.key FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.priority = p_priority
      AND q.run_at <= p_now AND (q.run_at, q.seq) > (p_after_run_at, p_after_seq)
      AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
    ORDER BY q.run_at, q.seq LIMIT c_oldest);
  -- If few jobs have this priority, only their keys are probed, however many keys the jobs of other priorities have.
  v_listed boolean := cardinality(v_oldest) < c_oldest;
  v_keys text[] := ARRAY(
    SELECT k.key FROM (SELECT DISTINCT o.key FROM unnest(v_oldest) AS o (key) WHERE o.key IS NOT NULL) AS k ORDER BY random());
  v_start text;
  v_key text;
  v_served text[] := '{}';
  v_wrapped boolean := false;
  v_room integer;
  v_names text[];
  v_strict boolean;
  v_first tid;
BEGIN
  SELECT t.id || t.aliases, t.order_hold IS NOT NULL INTO v_names, v_strict FROM zeke_jobs.task AS t WHERE t.id = p_task;
  IF NOT v_listed THEN
    -- Begin at the next real key after the last claim's. A random point would not do: keys with a common prefix (a host, an id) would all lie on
    -- one side of it.
    SELECT q.key INTO v_start
    FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.key > (
      SELECT g.key_cursor FROM zeke_jobs.key_cursor AS g WHERE g.task = p_task)
    ORDER BY q.key LIMIT 1;
    v_start := coalesce(v_start, '');
  END IF;
  LOOP
    v_key := CASE WHEN v_listed THEN v_keys[1] ELSE v_start END;
    FOR v_probe IN 1 .. c_probes LOOP
      EXIT WHEN cardinality(v_picked) >= p_quota OR v_key IS NULL;
      v_room := p_per_key - (
        SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS a WHERE a.state = 'consumed' AND a.task = n.name AND a.key = v_key))
        FROM unnest(v_names) AS n (name));
      IF v_room > 0 AND v_strict THEN
        v_first := zeke_jobs.first_in_line(p_task, v_key);
        v_found := ARRAY(
          SELECT q.ctid FROM zeke_jobs.queue AS q
          WHERE q.ctid = v_first AND q.state = 'queued' AND q.deaths < 1 AND q.queue_name = p_queue AND q.task = p_task AND q.key = v_key
            AND q.priority = p_priority AND q.run_at <= p_now AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
          FOR UPDATE SKIP LOCKED);
      ELSIF v_room > 0 THEN
        v_found := ARRAY(
          SELECT q.ctid FROM zeke_jobs.queue AS q
          WHERE q.state = 'queued' AND q.deaths < 1 AND q.queue_name = p_queue AND q.task = p_task AND q.key = v_key
            AND q.priority = p_priority AND q.run_at <= p_now AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
          ORDER BY q.run_at, q.seq
          LIMIT least(v_room, p_quota - cardinality(v_picked))
          FOR UPDATE SKIP LOCKED);
      END IF;
      IF v_room > 0 THEN
        v_picked := v_picked || v_found;
        IF cardinality(v_found) > 0 THEN
          v_served := v_served || v_key;
        END IF;
      END IF;
      IF v_listed THEN
        v_key := v_keys[v_probe + 1];
        CONTINUE;
      END IF;
      SELECT q.key INTO v_key
      FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.key > v_key
      ORDER BY q.key LIMIT 1;
      IF v_key IS NULL AND NOT v_wrapped THEN
        v_wrapped := true;
        SELECT q.key INTO v_key
        FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_task AND q.key IS NOT NULL
        ORDER BY q.key LIMIT 1;
      END IF;
      IF v_wrapped AND (v_key IS NULL OR v_key >= v_start) THEN
        v_keys := '{}'; -- all keys were probed
        EXIT;
      END IF;
    END LOOP;
    EXIT WHEN v_listed;
    INSERT INTO zeke_jobs.key_cursor AS g (task, key_cursor) VALUES (p_task, coalesce(v_key, ''))
    ON CONFLICT (task) DO UPDATE SET key_cursor = excluded.key_cursor;
    EXIT WHEN cardinality(v_picked) >= p_quota;
    -- Too few jobs were found, because many keys have none of this priority. The keys of the oldest jobs have some: probe those.
    v_listed := true;
    v_keys := ARRAY(SELECT k.key FROM unnest(v_keys) AS k (key) WHERE k.key <> ALL (v_served));
  END LOOP;
  RETURN v_picked;
END
$$;

-- Step 1 of a claim: find each (task, priority) with a due job, higher priorities first, and the place of its first due job. due is NULL if
-- nothing is due. searched: the tasks that this worker serves and that are not paused. Probes the index only, without locks. p_places: where to
-- begin, as written by zeke_jobs.remember_places; NULL: at the beginning.
CREATE OR REPLACE FUNCTION zeke_jobs.find_due(
  p_queue text, p_tasks text[], p_now timestamptz, p_places jsonb, OUT due zeke_jobs.candidate[], OUT searched text[])
LANGUAGE plpgsql VOLATILE -- with the settings of zeke_jobs.claim, which alone calls it
AS $$
BEGIN
  WITH RECURSIVE served AS (
    SELECT t.id, t.gates, t.per_key, t.metered, (p_places -> t.id ->> 0)::integer AS cursor,
      (p_places -> t.id ->> 1)::timestamptz AS after_run_at, (p_places -> t.id ->> 2)::bigint AS after_seq
    FROM zeke_jobs.task AS t
    WHERE t.queue = p_queue AND t.id = ANY (p_tasks) AND NOT t.paused AND NOT EXISTS (
      SELECT 1 FROM zeke_jobs.pause AS p
      WHERE p.target = 'task/' || t.id OR p.target = 'queue/' || p_queue OR p.target = ANY (t.gates))
  ),
  level (task, gates, per_key, metered, cursor, after_run_at, after_seq, priority) AS (
    SELECT s.id, s.gates, s.per_key, s.metered, s.cursor, s.after_run_at, s.after_seq, 2147483648::bigint FROM served AS s
    UNION ALL
    -- The next lower priority.
    SELECT l.task, l.gates, l.per_key, l.metered, l.cursor, l.after_run_at, l.after_seq, CASE
      WHEN l.cursor IS NULL OR l.cursor >= l.priority THEN (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority < l.priority
        ORDER BY q.priority DESC LIMIT 1)
      ELSE coalesce((
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority > l.cursor
          AND q.priority < l.priority
        ORDER BY q.priority DESC LIMIT 1), (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority = l.cursor
          AND (q.run_at, q.seq) > (l.after_run_at, l.after_seq)
        LIMIT 1), (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority < l.cursor
        ORDER BY q.priority DESC LIMIT 1)) END
    FROM level AS l
    WHERE l.priority IS NOT NULL
  ),
  begun AS (
    SELECT l.task, l.gates, l.per_key, l.metered, l.priority::integer,
      CASE WHEN l.cursor = l.priority THEN l.after_run_at ELSE '-infinity' END AS after_run_at,
      CASE WHEN l.cursor = l.priority THEN l.after_seq ELSE 0 END AS after_seq
    FROM level AS l
    WHERE l.priority < 2147483648
  )
  SELECT array_agg(
    (l.task, l.priority, l.gates, l.per_key, f.run_at, f.seq - 1, l.metered)::zeke_jobs.candidate ORDER BY l.priority DESC, random()),
    (SELECT array_agg(s.id) FROM served AS s)
  INTO due, searched
  FROM begun AS l
  -- Picking begins at this first due job, so that dead index entries are stepped over once and not twice.
  CROSS JOIN LATERAL (
    SELECT q.run_at, q.seq FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task
      AND q.priority = l.priority AND q.run_at <= p_now AND (q.run_at, q.seq) > (l.after_run_at, l.after_seq)
      AND (l.per_key IS NULL OR q.key IS NOT NULL)
    ORDER BY q.run_at, q.seq LIMIT 1
  ) AS f;
END
$$;

-- Remember in the session where each task's due jobs begin, because the search took p_took. The next searches begin there. p_places and p_until:
-- the places remembered before, and the end of their time; NULL: none.
CREATE OR REPLACE FUNCTION zeke_jobs.remember_places(
  p_queue text, p_due zeke_jobs.candidate[], p_searched text[], p_now timestamptz, p_took interval, p_cursors jsonb, p_places jsonb,
  p_until timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.find_due
AS $$
BEGIN
  -- A job may be committed some time after it was sent, so a place is at least 100 ms old.
  PERFORM set_config('zeke_jobs.cursors', (p_cursors || jsonb_build_object(p_queue, jsonb_build_object(
    'until', CASE
      WHEN p_places IS NULL THEN p_now + least(greatest(interval '50 ms', 30 * p_took), interval '10 seconds')
      ELSE p_until END,
    'at', (
      SELECT jsonb_object_agg(t.id, CASE
        WHEN c.after_run_at < p_now - interval '100 ms' THEN jsonb_build_array(c.priority, c.after_run_at, c.after_seq)
        ELSE jsonb_build_array(coalesce(c.priority, t.priority), p_now - interval '100 ms', 0) END ORDER BY c.priority)
      FROM zeke_jobs.task AS t LEFT JOIN unnest(p_due) AS c ON c.task = t.id
      -- A task without due jobs gets a place only if the search was slow even with places: each place costs two more probes.
      WHERE t.id = ANY (p_searched) AND (c.task IS NOT NULL OR p_places IS NOT NULL)))))::text, false);
END
$$;

-- Step 2: lock the gates of the due tasks, in the order of their names, so that two claims never wait for each other. Returns whether there are
-- any.
CREATE OR REPLACE FUNCTION zeke_jobs.lock_gates(p_due zeke_jobs.candidate[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.find_due
AS $$
BEGIN
  PERFORM 1 FROM zeke_jobs.gate AS g
  WHERE g.name IN (SELECT unnest(c.gates) FROM unnest(p_due) AS c)
  ORDER BY g.name
  FOR NO KEY UPDATE;
  RETURN FOUND;
END
$$;

-- Step 3: count the free places of the locked gates. It runs in a later statement than the locks, so its snapshot shows the jobs that earlier
-- claims took. This worker has p_threads threads, of which p_free are free (NULL: threads do not limit the claim).
CREATE OR REPLACE FUNCTION zeke_jobs.count_rooms(
  p_due zeke_jobs.candidate[], p_queue text, p_free integer, p_threads integer, p_now timestamptz) RETURNS zeke_jobs.room[]
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.find_due
AS $$
DECLARE
  v_workers bigint := (
    SELECT greatest(1, count(*)) FROM zeke_jobs.worker AS w
    WHERE w.kind = 'worker' AND NOT w.stopping AND p_queue = ANY (w.queues));
  -- A variable, because with a sub-select as its argument gate_rooms would not become a part of the statement.
  v_gates text[] := ARRAY(SELECT DISTINCT unnest(c.gates) FROM unnest(p_due) AS c);
BEGIN
  RETURN ARRAY(
    SELECT ((g).name, least(r.room, CASE
        WHEN p_free IS NULL THEN NULL
        WHEN (g).metered THEN greatest(0, p_free)
        WHEN (g).concurrency IS NOT NULL THEN greatest(
          0, p_free, ceil((g).concurrency::numeric / v_workers)::integer - (p_threads - p_free))
        END), r.room, (g).metered OR (g).closed_until > p_now, 0,
        (g).metered AND EXISTS (SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = (g).name AND NOT m.per_key))::zeke_jobs.room
    FROM (SELECT r.gate AS g, r.room FROM zeke_jobs.gate_rooms(v_gates, p_now) AS r OFFSET 0) AS r
    ORDER BY (g).name);
END
$$;

-- Step 4: decide how many jobs each task of one priority gets in this round. p_open: the positions in p_due of the tasks that may get more.
-- Shares are equal, or smaller where a limit or the free threads allow less. ahead: no task has room any more, so jobs are claimed ahead of
-- limits that are exactly full; a shared, metered or over-full limit excludes its tasks. Pure: reads no table.
CREATE OR REPLACE FUNCTION zeke_jobs.share_out(
  p_due zeke_jobs.candidate[], p_open integer[], p_rooms zeke_jobs.room[], p_left integer, p_free integer, p_short text[], p_more integer[],
  OUT chosen integer[], OUT quotas integer[], OUT ahead boolean)
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.find_due
AS $$
DECLARE
  v_gates text[] := ARRAY(SELECT r.gate FROM unnest(p_rooms) AS r);
  v_shares integer[] := ARRAY(SELECT r.share FROM unnest(p_rooms) AS r);
  v_by_units text[] := ARRAY(SELECT r.gate FROM unnest(p_rooms) AS r WHERE r.by_units AND r.gate LIKE 'limit/%');
  v_free integer := p_free;
  v_share integer;
  v_rest integer;
  v_quota integer;
  v_ready integer[];
  v_one zeke_jobs.candidate;
  v_long boolean;
  v_longs integer;
  v_gate text;
  v_at integer;
BEGIN
  chosen := '{}';
  quotas := '{}';
  v_ready := ARRAY(
    SELECT o.i FROM unnest(p_open) WITH ORDINALITY AS o (i, n)
    WHERE (p_short IS NULL OR v_free > 0 OR p_due[o.i].task = ANY (p_short)) AND NOT EXISTS (
      SELECT 1 FROM unnest(p_due[o.i].gates) AS g (name) WHERE v_shares[array_position(v_gates, g.name)] <= 0)
    ORDER BY o.n);
  ahead := cardinality(v_ready) = 0;
  IF ahead THEN
    v_ready := ARRAY(
      SELECT o.i FROM unnest(p_open) WITH ORDINALITY AS o (i, n)
      WHERE p_more[array_position(p_short, p_due[o.i].task)] > 0 AND p_due[o.i].per_key IS NULL AND NOT EXISTS (
        SELECT 1 FROM unnest(p_rooms) AS r
        WHERE r.gate = ANY (p_due[o.i].gates) AND (r.gate NOT LIKE 'task/%' OR r.is_metered OR r.room <> r.used))
      ORDER BY o.n);
    IF cardinality(v_ready) = 0 THEN
      RETURN;
    END IF;
  END IF;
  v_share := p_left / cardinality(v_ready);
  v_rest := p_left % cardinality(v_ready);
  v_longs := (SELECT count(*) FROM unnest(v_ready) AS o (i) WHERE p_due[o.i].task <> ALL (p_short));
  FOR v_turn IN 1 .. cardinality(v_ready) LOOP
    v_one := p_due[v_ready[v_turn]];
    v_long := v_one.task <> ALL (p_short);
    v_quota := v_share + CASE WHEN v_rest > 0 THEN 1 ELSE 0 END;
    IF ahead THEN
      v_quota := least(v_quota, p_more[array_position(p_short, v_one.task)]);
    ELSE
      IF v_long THEN
        v_quota := least(v_quota, ceil(v_free::numeric / v_longs));
        v_longs := v_longs - 1;
      END IF;
      FOREACH v_gate IN ARRAY v_one.gates LOOP
        v_quota := least(v_quota, v_shares[array_position(v_gates, v_gate)]);
        CONTINUE WHEN v_gate NOT LIKE 'limit/%';
        -- A shared limit is divided among its tasks whose turn is still to come. If it counts units, each of several tasks gets one job a round.
        IF v_gate = ANY (v_by_units) AND v_quota > 1 THEN
          v_quota := least(v_quota, (SELECT CASE WHEN count(*) > 1 THEN 1 END FROM unnest(v_ready) AS o (i) WHERE v_gate = ANY (p_due[o.i].gates)));
        END IF;
        IF v_quota > 1 THEN
          v_quota := least(v_quota, ceil(v_shares[array_position(v_gates, v_gate)]::numeric / (
            SELECT count(*) FROM unnest(v_ready[v_turn:]) AS o (i) WHERE v_gate = ANY (p_due[o.i].gates))));
        END IF;
      END LOOP;
    END IF;
    CONTINUE WHEN v_quota <= 0;
    v_rest := v_rest - CASE WHEN v_quota > v_share THEN 1 ELSE 0 END;
    IF v_long THEN
      v_free := v_free - v_quota;
    END IF;
    IF NOT ahead THEN
      FOREACH v_gate IN ARRAY v_one.gates LOOP
        v_at := array_position(v_gates, v_gate);
        v_shares[v_at] := v_shares[v_at] - v_quota;
      END LOOP;
    END IF;
    chosen := chosen || v_ready[v_turn];
    quotas := quotas || v_quota;
  END LOOP;
END
$$;

-- Step 5: pick the jobs. Lock due jobs of each chosen task up to its quota, the oldest first, and skip rows that others have locked. blocked:
-- the gates whose meters hold jobs back, and 'keys of GATE' if some keys were not looked at.
CREATE OR REPLACE FUNCTION zeke_jobs.pick(
  p_queue text, p_due zeke_jobs.candidate[], p_chosen integer[], p_quotas integer[], p_now timestamptz, OUT places tid[], OUT blocked text[])
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.find_due
AS $$
DECLARE
  v_one zeke_jobs.candidate;
  v_found tid[];
  v_by_rate boolean;
  v_looked record;
  v_fit record;
BEGIN
  blocked := '{}';
  places := ARRAY(
    SELECT r.place
    FROM unnest(p_chosen, p_quotas) AS x (i, quota)
    CROSS JOIN LATERAL (
      SELECT q.ctid AS place FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = p_due[x.i].task
        AND q.priority = p_due[x.i].priority AND q.run_at <= p_now
        AND (q.run_at, q.seq) > (p_due[x.i].after_run_at, p_due[x.i].after_seq)
        AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
      ORDER BY q.run_at, q.seq LIMIT x.quota
      FOR UPDATE SKIP LOCKED
    ) AS r
    WHERE p_due[x.i].per_key IS NULL AND NOT p_due[x.i].metered);
  FOR v_turn IN 1 .. cardinality(p_chosen) LOOP
    v_one := p_due[p_chosen[v_turn]];
    CONTINUE WHEN v_one.per_key IS NULL AND NOT v_one.metered;
    v_by_rate := v_one.per_key IS NOT NULL AND EXISTS (
      SELECT 1 FROM zeke_jobs.meter AS m WHERE m.gate = 'task/' || v_one.task AND m.per_key);
    IF v_one.per_key IS NULL THEN
      v_found := ARRAY(
        SELECT q.ctid FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = v_one.task AND q.priority = v_one.priority
          AND q.run_at <= p_now AND (q.run_at, q.seq) > (v_one.after_run_at, v_one.after_seq)
          AND (q.expires_on IS NULL OR q.expires_on > p_now OR q.attempt > 0)
        ORDER BY q.run_at, q.seq LIMIT p_quotas[v_turn]
        FOR UPDATE SKIP LOCKED);
    ELSIF v_by_rate THEN
      v_looked := zeke_jobs.pick_by_rate(p_queue, v_one, p_quotas[v_turn], p_now);
      v_found := v_looked.places;
      IF cardinality(v_found) < p_quotas[v_turn] THEN
        blocked := blocked || ('task/' || v_one.task) || CASE WHEN NOT v_looked.is_last THEN ARRAY['keys of task/' || v_one.task] END;
      END IF;
    ELSE
      v_found := zeke_jobs.pick_by_key(
        p_queue, v_one.task, v_one.priority, v_one.after_run_at, v_one.after_seq, p_quotas[v_turn], v_one.per_key, p_now);
    END IF;
    IF v_one.metered THEN
      v_fit := zeke_jobs.take(v_one, v_found);
      IF v_by_rate THEN
        PERFORM zeke_jobs.note_keys(
          p_queue, v_one, v_looked.keys, v_looked.rooms, v_looked.waiting, v_looked.unseen, v_fit.places,
          cardinality(v_found) < p_quotas[v_turn] AND cardinality(v_fit.places) = cardinality(v_found), p_now);
      END IF;
      v_found := v_fit.places;
      blocked := blocked || v_fit.blocked;
    END IF;
    places := places || v_found;
  END LOOP;
END
$$;

-- Step 6: assign the picked jobs, whose rows are locked, to this worker in the order in which they were picked. claimed_on is taken after the
-- counts, so it is later than the end of every job that the counts saw as ended: recorded times never overlap.
CREATE OR REPLACE FUNCTION zeke_jobs.mark(p_places tid[], p_worker uuid, p_ahead boolean, p_revision integer) RETURNS zeke_jobs.claimed[]
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.find_due
AS $$
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_jobs zeke_jobs.claimed[];
BEGIN
  WITH updated AS (
    UPDATE zeke_jobs.queue AS q
    SET state = 'consumed', claim = q.claim + 1, worker = p_worker, ahead = p_ahead,
      claimed_on = v_now, started_on = NULL, mtime = v_now, waiting_for = NULL, revision = coalesce(p_revision, q.revision)
    FROM unnest(p_places) AS p (place)
    WHERE q.ctid = p.place AND q.state = 'queued'
    RETURNING (q.message_id, q.claim, q.task, q.message::text, q.attempt, q.attempt_base, q.deaths, q.revision, q.parent,
      q.scheduled_for, q.claimed_on, q.expires_on, q.ahead, q.sensitive)::zeke_jobs.claimed AS one
  )
  SELECT coalesce(array_agg(u.one), '{}') INTO v_jobs FROM updated AS u;
  RETURN v_jobs;
END
$$;

-- Step 7: find the tasks of p_open that have more due jobs than could be claimed, and whether one of them lacks only a thread. Tasks with short
-- jobs are always listed: a search for more jobs would take longer than the jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.find_held_back(
  p_queue text, p_due zeke_jobs.candidate[], p_open integer[], p_rooms zeke_jobs.room[], p_left integer, p_free integer, p_short text[],
  p_now timestamptz, OUT tasks text[], OUT lacks_thread boolean)
LANGUAGE plpgsql VOLATILE -- as zeke_jobs.find_due
AS $$
DECLARE
  v_at integer;
  v_one zeke_jobs.candidate;
  v_long boolean;
BEGIN
  tasks := '{}';
  lacks_thread := false;
  FOREACH v_at IN ARRAY p_open LOOP
    v_one := p_due[v_at];
    v_long := p_short IS NOT NULL AND v_one.task <> ALL (p_short);
    CONTINUE WHEN p_left = 0 AND NOT (v_long AND p_free <= 0);
    IF v_long OR p_short IS NULL THEN
      PERFORM 1 FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = v_one.task AND q.priority = v_one.priority
        AND q.run_at <= p_now AND (q.run_at, q.seq) > (v_one.after_run_at, v_one.after_seq)
      LIMIT 1;
      CONTINUE WHEN NOT FOUND;
    END IF;
    tasks := tasks || v_one.task;
    IF v_long AND p_free <= 0 AND NOT lacks_thread THEN
      lacks_thread := NOT EXISTS (SELECT 1 FROM unnest(p_rooms) AS r WHERE r.gate = ANY (v_one.gates) AND r.room <= r.used);
    END IF;
  END LOOP;
END
$$;

-- Claim up to p_want due jobs of a queue and of the tasks in p_tasks, never more than the limits allow. Higher priorities come first; tasks of
-- equal priority take turns; jobs of one task and priority come in the order in which they are due.
--
-- Returns, beside the jobs:
--   held_back: the tasks with more due jobs, if fewer than p_want were claimed.
--   lacks_thread: whether a job that may take long lacks only a free thread.
--   full_gates: the limits that are full now.
--   opens_on: when a rate that held a job back lets it through.
--
-- Ahead of the threads: p_want may exceed the free threads (p_free of p_threads; negative if the worker has claimed ahead). Only tasks in
-- p_short are claimed ahead of them (NULL: all tasks). A task with a limit gets only this worker's share of the limit, so that no slot waits
-- here while another worker idles.
--
-- Ahead of a limit: a task in p_short whose limit is full, not shared and no rate may get jobs that wait for a slot (ahead). p_more, p_per_slot
-- and p_most are parallel to p_short: the number of such jobs, the further number for each slot that this claim brings, and the most in all.
-- They start only when a job of their task in this worker gives up its slot. The worker sees that end at once, so the limit stays full without a
-- round trip.
--
-- Remembered places: until vacuum removes them, the index keeps the entries of claimed jobs, and each search would step over them. If that takes
-- time, the session remembers where each task's jobs begin, and searches from there for thirty times as long as the search took, ten seconds at
-- most. A job that gets an earlier place meanwhile (returned unstarted; committed 100 ms or more after it was sent; sent for a past time) waits
-- until then, or until a claim finds nothing else.
CREATE OR REPLACE FUNCTION zeke_jobs.claim(
  p_worker uuid, p_queue text, p_tasks text[], p_want integer, p_free integer DEFAULT NULL, p_threads integer DEFAULT NULL,
  p_short text[] DEFAULT NULL, p_more integer[] DEFAULT NULL, p_per_slot integer[] DEFAULT NULL,
  p_most integer[] DEFAULT NULL,
  OUT jobs zeke_jobs.claimed[], OUT held_back text[], OUT lacks_thread boolean, OUT full_gates text[], OUT opens_on timestamptz
)
LANGUAGE plpgsql VOLATILE
-- Generic plans that suit any backlog: planning costs more than claiming.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_revision integer := (SELECT nullif(w.revision, 0) FROM zeke_jobs.worker AS w WHERE w.id = p_worker);
  v_in_force integer := (SELECT max(r.number) FROM zeke_jobs.revision AS r);
  v_places jsonb := coalesce(nullif(current_setting('zeke_jobs.cursors', true), ''), '{}')::jsonb;
  v_until timestamptz := (v_places -> p_queue ->> 'until')::timestamptz;
  -- A clock that was set back must not keep the places for more than ten seconds.
  v_place jsonb := CASE WHEN v_until > v_now AND v_until <= v_now + interval '10 seconds' THEN v_places -> p_queue -> 'at' END;
  v_due zeke_jobs.candidate[];
  v_searched text[];
  v_took interval;
  v_rooms zeke_jobs.room[] := '{}';
  v_room zeke_jobs.room;
  v_metered text[] := '{}';
  v_used_up text[] := '{}';
  v_counted_on timestamptz := v_now; -- after the wait for the limits' locks, when rates may have more room
  v_picked record;
  v_blocked text[] := '{}';
  v_left integer := p_want;
  v_free integer := greatest(0, p_free);
  v_more integer[] := p_more;
  v_from integer := 1;
  v_to integer;
  v_open integer[];
  v_yields integer[];
  v_round record;
  v_rows zeke_jobs.claimed[];
  v_one zeke_jobs.candidate;
  v_taken integer;
  v_at integer;
  v_held record;
BEGIN
  -- If the server crashes before the claim is on disk, the job is simply queued again: its end cannot be on disk before the claim.
  PERFORM set_config('synchronous_commit', 'off', true);
  jobs := '{}';
  held_back := '{}';
  lacks_thread := false;
  full_gates := '{}';

  SELECT f.due, f.searched INTO v_due, v_searched FROM zeke_jobs.find_due(p_queue, p_tasks, v_now, v_place) AS f;
  IF v_due IS NULL THEN
    IF v_place IS NOT NULL THEN
      PERFORM set_config('zeke_jobs.cursors', (v_places - p_queue)::text, false);
    END IF;
    RETURN;
  END IF;
  v_took := zeke_jobs.now() - v_now;
  -- Slow: by what the search costs without dead entries, more with each task.
  IF v_took >= coalesce(nullif(current_setting('zeke_jobs.slow_claim', true), ''), '0.1 ms')::interval * (2 + cardinality(v_searched)) THEN
    PERFORM zeke_jobs.remember_places(p_queue, v_due, v_searched, v_now, v_took, v_places, v_place, v_until);
  END IF;

  IF zeke_jobs.lock_gates(v_due) THEN
    v_counted_on := zeke_jobs.now();
    PERFORM zeke_jobs.turn_breakers(ARRAY(SELECT unnest(c.gates) FROM unnest(v_due) AS c), v_counted_on);
    v_rooms := zeke_jobs.count_rooms(v_due, p_queue, p_free, p_threads, v_counted_on);
  END IF;
  -- A new jobs.yaml locks the whole table of gates (zeke_jobs.write_limits). If this claim read the tasks before it was in force, perhaps
  -- because it waited for that lock, begin again: the tasks may have other limits now. From here on no new jobs.yaml can come between.
  IF v_in_force IS DISTINCT FROM (SELECT max(r.number) FROM zeke_jobs.revision AS r) THEN
    SELECT c.* INTO jobs, held_back, lacks_thread, full_gates, opens_on
    FROM zeke_jobs.claim(p_worker, p_queue, p_tasks, p_want, p_free, p_threads, p_short, p_more, p_per_slot, p_most) AS c;
    RETURN;
  END IF;

  -- Within a priority in rounds: the part of its share that a task cannot use goes to the other tasks in the next round.
  WHILE v_from <= cardinality(v_due) AND v_left > 0 LOOP
    v_to := v_from;
    v_open := ARRAY[v_to];
    WHILE v_due[v_to + 1].priority = v_due[v_from].priority LOOP
      v_to := v_to + 1;
      v_open := v_open || v_to;
    END LOOP;
    IF v_blocked <> '{}' THEN
      -- Lower priorities do not overtake a job that needs more units than are left, or it would never get enough.
      v_yields := ARRAY(
        SELECT o.i FROM unnest(v_open) AS o (i)
        WHERE EXISTS (SELECT 1 FROM unnest(v_due[o.i].gates) AS g (name) WHERE 'units of ' || g.name = ANY (v_blocked)));
      v_open := ARRAY(SELECT o.i FROM unnest(v_open) WITH ORDINALITY AS o (i, n) WHERE o.i <> ALL (v_yields) ORDER BY o.n);
      held_back := held_back || ARRAY(SELECT v_due[y.i].task FROM unnest(v_yields) AS y (i));
    END IF;
    WHILE cardinality(v_open) > 0 AND v_left > 0 LOOP
      v_round := zeke_jobs.share_out(v_due, v_open, v_rooms, v_left, v_free, p_short, v_more);
      EXIT WHEN cardinality(v_round.chosen) = 0;
      v_picked := zeke_jobs.pick(p_queue, v_due, v_round.chosen, v_round.quotas, v_counted_on);
      v_blocked := v_blocked || v_picked.blocked;
      v_rows := zeke_jobs.mark(v_picked.places, p_worker, v_round.ahead, v_revision);
      jobs := jobs || v_rows;
      v_left := v_left - cardinality(v_rows);
      FOR v_turn IN 1 .. cardinality(v_round.chosen) LOOP
        v_one := v_due[v_round.chosen[v_turn]];
        v_taken := cardinality(v_rows);
        IF v_taken > 0 AND cardinality(v_round.chosen) > 1 THEN
          v_taken := (SELECT count(*) FROM unnest(v_rows) AS r WHERE r.task = v_one.task);
        END IF;
        IF v_one.task <> ALL (p_short) THEN
          v_free := v_free - v_taken;
        END IF;
        IF v_taken > 0 AND NOT v_round.ahead THEN
          FOR v_at IN 1 .. cardinality(v_rooms) LOOP
            IF v_rooms[v_at].gate = ANY (v_one.gates) THEN
              v_rooms[v_at].share := v_rooms[v_at].share - v_taken;
              v_rooms[v_at].used := v_rooms[v_at].used + v_taken;
            END IF;
          END LOOP;
        END IF;
        v_at := array_position(p_short, v_one.task);
        IF v_more[v_at] IS NOT NULL THEN
          v_more[v_at] := least(p_most[v_at], v_more[v_at] + CASE WHEN v_round.ahead THEN -v_taken ELSE p_per_slot[v_at] * v_taken END);
        END IF;
        -- A task that got less than its share has no more jobs that can run.
        IF v_taken < v_round.quotas[v_turn] THEN
          v_open := array_remove(v_open, v_round.chosen[v_turn]);
          IF v_one.per_key IS NOT NULL OR v_one.gates && v_picked.blocked THEN
            held_back := held_back || v_one.task; -- perhaps by its keys or its units
          END IF;
        END IF;
      END LOOP;
    END LOOP;
    IF cardinality(v_open) > 0 THEN
      v_held := zeke_jobs.find_held_back(p_queue, v_due, v_open, v_rooms, v_left, v_free, p_short, v_now);
      held_back := held_back || v_held.tasks;
      lacks_thread := lacks_thread OR v_held.lacks_thread;
    END IF;
    v_from := v_to + 1;
  END LOOP;

  IF v_left = 0 THEN
    held_back := '{}';
  END IF;
  IF v_place IS NOT NULL AND v_left = p_want THEN
    PERFORM set_config('zeke_jobs.cursors', (v_places - p_queue)::text, false);
  END IF;
  FOREACH v_room IN ARRAY v_rooms LOOP
    IF v_room.room <= v_room.used THEN
      full_gates := full_gates || v_room.gate;
    END IF;
    IF v_room.is_metered THEN
      v_metered := v_metered || v_room.gate;
      IF v_room.room <= v_room.used THEN
        v_used_up := v_used_up || v_room.gate;
      END IF;
    END IF;
  END LOOP;
  IF v_metered <> '{}' THEN
    IF cardinality(jobs) > 0 THEN
      UPDATE zeke_jobs.gate AS g
      SET probe = (
        SELECT j.message_id FROM unnest(jobs) AS j JOIN zeke_jobs.task AS t ON t.id = j.task AND g.name = ANY (t.gates) LIMIT 1)
      WHERE g.name IN (SELECT r.gate FROM unnest(v_rooms) AS r WHERE r.used > 0) AND g.tripped_on IS NOT NULL;
      PERFORM zeke_jobs.forget_uses(v_metered, v_counted_on);
    END IF;
    IF cardinality(held_back) > 0 THEN
      opens_on := zeke_jobs.opens_on(held_back, v_blocked || v_used_up, v_counted_on);
    END IF;
  END IF;
END
$$;

-- Claim the suspect that has waited longest, and others with the same group size, up to that size and p_want. The caller holds no other job. The
-- limits are those of zeke_jobs.claim.
CREATE OR REPLACE FUNCTION zeke_jobs.claim_alone(p_worker uuid, p_queue text, p_tasks text[], p_want integer DEFAULT 1) RETURNS SETOF zeke_jobs.claimed
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
  v_now timestamptz := zeke_jobs.now();
  v_one record;
  v_places tid[];
  v_size integer;
  v_left integer;
  v_revision integer := (SELECT nullif(w.revision, 0) FROM zeke_jobs.worker AS w WHERE w.id = p_worker);
  v_in_force integer := (SELECT max(r.number) FROM zeke_jobs.revision AS r);
  v_suspects uuid[] := ARRAY(SELECT s.message_id FROM zeke_jobs.startable_suspects(ARRAY[p_queue], p_tasks, v_now) AS s);
  v_gates text[] := ARRAY(
    SELECT DISTINCT g.name FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task CROSS JOIN unnest(t.gates) AS g (name)
    WHERE q.message_id = ANY (v_suspects));
BEGIN
  -- Lock all gates at once, in the order of their names, as zeke_jobs.lock_gates does. Locked one by one, this call and a claim could wait for
  -- each other.
  PERFORM 1 FROM zeke_jobs.gate AS g WHERE g.name = ANY (v_gates) ORDER BY g.name FOR NO KEY UPDATE;
  PERFORM zeke_jobs.turn_breakers(v_gates, zeke_jobs.now());
  FOR v_one IN
    SELECT q.message_id, q.key, t.id AS task, t.gates, t.per_key, t.metered, t.id || t.aliases AS names, q.group_size
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task
    WHERE q.message_id = ANY (v_suspects)
    ORDER BY q.run_at, q.seq
  LOOP
    CONTINUE WHEN v_one.group_size <> v_size;
    -- If a new jobs.yaml is in force, stop: the next call obeys it.
    EXIT WHEN v_in_force IS DISTINCT FROM (SELECT max(r.number) FROM zeke_jobs.revision AS r);
    CONTINUE WHEN EXISTS (
      SELECT 1 FROM zeke_jobs.gate_rooms(v_one.gates, zeke_jobs.now()) AS r WHERE r.room < 1);
    CONTINUE WHEN v_one.per_key IS NOT NULL AND v_one.key IS NOT NULL AND v_one.per_key <= (
      SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.task = n.name AND q.key = v_one.key))
      FROM unnest(v_one.names) AS n (name));
    CONTINUE WHEN v_one.metered AND NOT zeke_jobs.key_has_room(v_one.task, v_one.key, zeke_jobs.now());
    v_places := ARRAY(
      SELECT c.ctid FROM zeke_jobs.queue AS c
      WHERE c.message_id = v_one.message_id AND c.state = 'queued' AND c.deaths > 0 AND c.group_size = v_one.group_size
        AND (c.order_hold IS NULL OR c.ctid = zeke_jobs.first_in_line(c.task, c.key))
      FOR UPDATE SKIP LOCKED);
    IF v_one.metered THEN
      v_places := (zeke_jobs.take((v_one.task, 0, v_one.gates, v_one.per_key, NULL, NULL, true)::zeke_jobs.candidate, v_places)).places;
      UPDATE zeke_jobs.gate AS g SET probe = v_one.message_id
      WHERE g.name = ANY (v_one.gates) AND g.tripped_on IS NOT NULL AND cardinality(v_places) > 0;
    END IF;
    RETURN QUERY SELECT m.* FROM unnest(zeke_jobs.mark(v_places, p_worker, false, v_revision)) AS m;
    IF FOUND THEN
      v_size := v_one.group_size;
      v_left := coalesce(v_left, least(v_size, p_want)) - 1;
      EXIT WHEN v_left <= 0;
    END IF;
  END LOOP;
END
$$;

-- The time at which the next job of a queue becomes due, after p_after; NULL if none waits. A worker asks when it has found no job that is due
-- by p_after. Costs two probes of the index for each (task, priority) with waiting jobs.
CREATE OR REPLACE FUNCTION zeke_jobs.next_due(p_queue text, p_tasks text[], p_after timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE -- and not sql: only plpgsql keeps its plans
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN (
    WITH RECURSIVE level (task, priority) AS (
      SELECT t.id, 2147483648::bigint FROM zeke_jobs.task AS t WHERE t.queue = p_queue AND t.id = ANY (p_tasks)
      UNION ALL
      -- The next lower priority.
      SELECT l.task, (
        SELECT q.priority FROM zeke_jobs.queue AS q
        WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task AND q.priority < l.priority
        ORDER BY q.priority DESC LIMIT 1)
      FROM level AS l
      WHERE l.priority IS NOT NULL
    )
    SELECT min((
      SELECT q.run_at FROM zeke_jobs.queue AS q
      WHERE q.state = 'queued' AND q.deaths = 0 AND q.queue_name = p_queue AND q.task = l.task
        AND q.priority = l.priority AND q.run_at > p_after
      ORDER BY q.run_at LIMIT 1))
    FROM level AS l
    WHERE l.priority < 2147483648
  );
END
$$;

-- The suspects (jobs during which a worker died) that could start now in a process that serves these tasks, the oldest first. group_size: how
-- many suspects at most may run together with it. Nothing is locked, so a claim checks again. Only for these jobs may a process stop claiming
-- others until it is empty.
CREATE OR REPLACE FUNCTION zeke_jobs.startable_suspects(p_queues text[], p_tasks text[], p_now timestamptz)
RETURNS TABLE (message_id uuid, group_size integer)
LANGUAGE plpgsql VOLATILE ROWS 64
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_indexscan = on SET enable_nestloop = on
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  v_tasks text[] := ARRAY(
    SELECT DISTINCT q.task FROM zeke_jobs.queue AS q
    WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = ANY (p_queues) AND q.run_at <= p_now AND q.task = ANY (p_tasks));
BEGIN
  IF cardinality(v_tasks) = 0 THEN
    RETURN;
  END IF;
  v_tasks := ARRAY(
    SELECT t.id FROM zeke_jobs.task AS t
    WHERE t.id = ANY (v_tasks) AND NOT t.paused
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target = 'task/' || t.id OR p.target = ANY (t.gates))
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.gate_rooms(t.gates, p_now) AS r WHERE r.room < 1));
  RETURN QUERY
    SELECT q.message_id, q.group_size
    FROM zeke_jobs.queue AS q JOIN zeke_jobs.task AS t ON t.id = q.task
    WHERE q.state = 'queued' AND q.deaths > 0 AND q.queue_name = ANY (p_queues) AND q.run_at <= p_now AND t.id = ANY (v_tasks)
      AND NOT EXISTS (SELECT 1 FROM zeke_jobs.pause AS p WHERE p.target = 'queue/' || q.queue_name)
      AND (t.per_key IS NULL OR q.key IS NULL OR t.per_key > (
        SELECT sum((SELECT count(*) FROM zeke_jobs.queue AS a WHERE a.state = 'consumed' AND a.task = n.name AND a.key = q.key))
        FROM unnest(t.id || t.aliases) AS n (name)))
      AND (NOT t.metered OR zeke_jobs.key_has_room(t.id, q.key, p_now) AND zeke_jobs.units_fit(t, q.units, p_now))
      AND (q.order_hold IS NULL OR q.ctid = zeke_jobs.first_in_line(q.task, q.key))
    ORDER BY q.run_at, q.seq
    LIMIT 64;
END
$$;

-- Whether a process holds a suspect.
CREATE OR REPLACE FUNCTION zeke_jobs.runs_suspect(p_worker uuid) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT EXISTS (SELECT 1 FROM zeke_jobs.queue AS q WHERE q.state = 'consumed' AND q.worker = p_worker AND q.deaths > 0)
$$;
