-- A story for the AI step and the insights; its age is as of now.
SELECT id, title, summary, kind, published_at, happened_at, document, description, language, text_hash, duration_seconds, source, authority, age_days
FROM public.story_for_ai(%(story_id)s::uuid)
