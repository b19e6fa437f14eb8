-- Take the given questions for a batch: questions that the batch's job took before, and questions in no batch for which a job waits. If no job waits
-- for a question, the question ends here, and costs nothing.
WITH left_over AS (
  UPDATE public.ai_calls AS a
  SET question = NULL, outcome = 'failed', detail = 'its job ended before it was asked', cost_usd = 0, settled_at = zeke_jobs.now()
  WHERE a.id = ANY (%(calls)s::uuid[])
    AND a.question IS NOT NULL
    AND a.batch IS NULL
    AND NOT EXISTS (SELECT FROM zeke_jobs.job AS j WHERE j.id = a.job_id AND j.state IN ('created', 'retry', 'active'))
)
UPDATE public.ai_calls AS a SET batch = %(batch)s::uuid
WHERE a.id = ANY (%(calls)s::uuid[])
  AND a.question IS NOT NULL
  AND (
    a.batch = %(batch)s::uuid
    OR a.batch IS NULL
    AND EXISTS (SELECT FROM zeke_jobs.job AS j WHERE j.id = a.job_id AND j.state IN ('created', 'retry', 'active'))
  )
RETURNING a.id, a.model_asked AS model, a.question ->> 'path' AS path, a.question -> 'body' AS body
