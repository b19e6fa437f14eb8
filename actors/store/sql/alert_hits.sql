-- Record a story for each receiver whose alerts match the story; returns the receivers that get something new.
SELECT h.receiver FROM public.alert_hits(%(story_id)s::uuid) AS h (receiver)
