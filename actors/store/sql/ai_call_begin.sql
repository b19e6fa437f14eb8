-- Begin a call, or find its answer: the kept one of an equal call, or the id of the question that was put to a batch.
SELECT b.id, b.answer, b.is_new, b.until, b.why
FROM public.ai_call_begin(
  %(key)s, %(put)s::uuid, %(question)s::jsonb, %(who)s, %(operation)s, %(story_id)s::uuid, %(job_id)s::uuid, %(task)s, %(model)s, %(prompt)s,
  %(cost)s::numeric, %(cost_in_batch)s::numeric) AS b
