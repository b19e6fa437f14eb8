-- Put back into the queue the jobs that this worker claimed but never received. Skip new claims, because the worker may still be receiving them.
SELECT
  q.message_id, q.task,
  zeke_jobs.finish(q.worker, q.message_id, q.claim, 'returned', NULL, NULL, NULL, NULL, NULL, q.revision) AS returned
FROM (
  SELECT o.message_id, o.task, o.worker, o.claim, o.revision FROM zeke_jobs.queue AS o WHERE o.state = 'consumed'
    AND o.worker = %(worker)s::uuid
    AND (o.message_id, o.claim) NOT IN (SELECT h.id, h.claim FROM unnest(%(held)s::uuid[], %(claims)s::bigint[]) AS h (id, claim))
    AND o.claimed_on <= zeke_jobs.now() - make_interval(secs => %(older)s::double precision)
  FOR UPDATE SKIP LOCKED
) AS q
