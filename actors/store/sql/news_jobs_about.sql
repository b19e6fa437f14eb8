-- The latest jobs about any of the given ids or addresses, unfinished jobs first.
SELECT j.id, j.name AS task, j.state::text AS state, j.created_on, j.start_after, j.completed_on, j.waiting_for, j.error,
  j.output, j.retry_count, j.data ->> 'trigger' AS trigger
FROM zeke_jobs.job AS j
WHERE j.data ->> 'story_id' = ANY (%(ids)s)
  OR j.data ->> 'source_id' = ANY (%(sources)s)
  OR j.data -> 'raw_item_ids' ?| %(ids)s
  OR j.data ->> 'url' = ANY (%(urls)s)
ORDER BY j.state IN ('completed', 'cancelled'), j.created_on DESC, j.id
LIMIT %(limit)s
