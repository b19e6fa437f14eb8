-- Record the stories of an event that alerts have found; returns the receivers that get something new.
SELECT h.receiver FROM public.alert_hits(%(story_id)s::uuid) AS h (receiver)
