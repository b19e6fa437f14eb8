-- Note what alerts have found in a story's event; returns the receivers that get something new.
SELECT h.receiver FROM public.alert_hits(%(story_id)s::uuid) AS h (receiver)
