-- The stories of a message were sent. Within a transaction the time is the same for all.
UPDATE public.alert_stories SET sent_at = zeke_jobs.now(), detail = NULL
WHERE receiver = %(receiver)s AND story_id = ANY (%(stories)s::uuid[]) AND sent_at IS NULL
