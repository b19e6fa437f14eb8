-- Record that a question of a batch was answered or gets no answer, and its cost. Returns whether a job waits for the answer.
UPDATE public.ai_calls AS a SET question = NULL, reserved_usd = coalesce(%(cost)s::numeric, a.reserved_usd)
WHERE a.id = %(id)s::uuid
RETURNING EXISTS (
  SELECT FROM zeke_jobs.job AS j WHERE j.id = a.job_id AND j.state IN ('created', 'retry', 'active')) AS is_awaited
