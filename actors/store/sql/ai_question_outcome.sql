-- The outcome of a question that was put to a batch; no row if it never was.
SELECT a.outcome FROM public.ai_calls AS a WHERE a.id = %(id)s::uuid
