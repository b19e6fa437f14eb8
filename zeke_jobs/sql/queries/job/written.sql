-- Return the given jobs that were ended by the attempts with the given claim numbers.
SELECT q.message_id AS id
FROM unnest(%(ids)s::uuid[], %(claims)s::bigint[]) AS d (id, claim)
JOIN zeke_jobs.queue AS q ON q.message_id = d.id AND q.claim = d.claim AND q.state IN ('done', 'rejected')
