-- The use of a task's limits by all, or by the jobs of the job's key, and the oldest jobs that fill each one.
SELECT
  u.name,
  u.concurrency,
  u.active,
  u.rate_count,
  u.rate_period,
  u.used,
  u.free_on,
  u.closed_by,
  u.closed_until,
  u.closed_why,
  u.probe,
  (SELECT jsonb_agg(m.value || jsonb_build_object(
     'estimate', least(
       (m.value ->> 'amount')::numeric,
       coalesce((q.units ->> n.unit)::numeric, a.average, (t.units ->> n.unit)::numeric, 0)),
     'used', coalesce(x.used, 0),
     'free_on', x.free_on))
   FROM jsonb_array_elements(u.meters) AS m
   CROSS JOIN LATERAL (SELECT m.value ->> 'unit' AS unit) AS n
   JOIN zeke_jobs.queue AS q ON q.message_id = %(job)s::uuid
   LEFT JOIN zeke_jobs.task AS t ON t.id = q.task
   LEFT JOIN zeke_jobs.unit_average AS a ON a.task = q.task AND a.unit = n.unit
   CROSS JOIN LATERAL (
     SELECT sum(o.amount) AS used,
       min(CASE WHEN o.unit = 'jobs' AND NOT o.settled THEN o.taken_on + o.lasts ELSE nullif(o.ends_on, 'infinity') END) AS free_on
     FROM zeke_jobs.meter_use AS o
     WHERE o.gate = u.name AND o.unit = n.unit AND o.key = CASE WHEN (m.value ->> 'per_key')::boolean THEN q.key ELSE '' END
       AND o.ends_on > zeke_jobs.now()
   ) AS x) AS meters,
  (SELECT jsonb_agg(to_jsonb(h) ORDER BY h.since)
   FROM (
     SELECT q.message_id AS id, q.task, w.host, w.pid, coalesce(q.started_on, q.claimed_on) AS since
     FROM zeke_jobs.task AS t
     JOIN zeke_jobs.queue AS q ON q.task = ANY (t.id || t.aliases) AND q.state = 'consumed' AND NOT q.waits
     LEFT JOIN zeke_jobs.worker AS w ON w.id = q.worker
     WHERE u.name = ANY (t.gates)
     ORDER BY since
     LIMIT %(most)s
   ) AS h) AS holders
FROM zeke_jobs.gate_use AS u
WHERE u.name = ANY (%(gates)s::text[])
ORDER BY u.name
