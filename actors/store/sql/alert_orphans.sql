-- Forget what a removed alert has not sent yet; returns the stories, which other alerts may fit.
DELETE FROM public.alert_stories AS t WHERE t.alert_id IS NULL AND t.sent_at IS NULL RETURNING t.story_id
