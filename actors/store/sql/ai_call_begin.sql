-- Begin calls, in the given order. Returns for each call the stored answer of an equal call, if any, or the id of its question for a batch.
SELECT b.id, b.answer, b.is_new, b.until, b.why
FROM unnest(%(keys)s::text[], %(stories)s::uuid[], %(jobs)s::uuid[], %(costs)s::numeric[])
  WITH ORDINALITY AS asked (key, story_id, job_id, cost, place)
CROSS JOIN LATERAL public.ai_call_begin(
  asked.key, %(put)s::uuid, %(question)s::jsonb, %(who)s, %(operation)s, asked.story_id, asked.job_id, %(task)s, %(model)s, %(prompt)s,
  asked.cost, %(cost_in_batch)s::numeric) AS b
ORDER BY asked.place
