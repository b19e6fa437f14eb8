-- Keep an answer; a newer one replaces it.
INSERT INTO public.ai_answers (key, answer)
VALUES (%(key)s, %(answer)s)
ON CONFLICT (key) DO UPDATE SET answer = EXCLUDED.answer, created_at = zeke_jobs.now()
