-- A question has its answer, or will have none; from now on it has cost what the answer says. Returns whether a job waits for it.
UPDATE public.ai_calls AS a SET question = NULL, reserved_usd = coalesce(%(cost)s::numeric, a.reserved_usd)
WHERE a.id = %(id)s::uuid
RETURNING EXISTS (
  SELECT FROM zeke_jobs.job AS j WHERE j.id = a.job_id AND j.state IN ('created', 'retry', 'active')) AS is_awaited
