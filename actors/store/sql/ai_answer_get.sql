-- The kept answer to the same question.
SELECT answer FROM public.ai_answers WHERE key = %(key)s
