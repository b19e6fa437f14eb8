-- A question for the next batch, with the most that it may cost.
INSERT INTO public.ai_calls (id, day, operation, story_id, job_id, task, model_asked, prompt, reserved_usd, question)
VALUES (
  %(id)s::uuid, (zeke_jobs.now() AT TIME ZONE 'UTC')::date, %(operation)s, %(story_id)s::uuid, %(job_id)s::uuid, %(task)s, %(model)s,
  %(prompt)s, %(cost)s::numeric, %(question)s::jsonb)
ON CONFLICT (id) DO NOTHING
