-- What was answered to the same question before.
SELECT answer FROM public.ai_answers WHERE key = %(key)s
