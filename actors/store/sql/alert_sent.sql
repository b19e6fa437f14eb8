-- Record that the stories of a message were sent, all at the same time.
WITH moment AS MATERIALIZED (SELECT zeke_jobs.now() AS now)
UPDATE public.alert_stories AS t SET sent_at = moment.now, detail = NULL
FROM moment
WHERE t.receiver = %(receiver)s AND t.story_id = ANY (%(stories)s::uuid[]) AND t.sent_at IS NULL
