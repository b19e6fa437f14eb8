-- Request wake-ups for sends to a queue and for ends under a limit of some of its tasks, or withdraw the request.
UPDATE zeke_jobs.worker
SET idle = array_remove(idle, %(queue)s) || CASE WHEN %(idle)s THEN ARRAY[%(queue)s] ELSE '{}' END,
  limited = ARRAY(
    SELECT l.task FROM unnest(limited) AS l (task)
    WHERE EXISTS (SELECT 1 FROM zeke_jobs.task AS t WHERE t.id = l.task AND t.queue <> %(queue)s)) || %(limited)s::text[]
WHERE id = %(worker)s::uuid
