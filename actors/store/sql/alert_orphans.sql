-- Delete the stories that a removed alert has not sent yet; returns these stories, because other alerts may match.
DELETE FROM public.alert_stories AS t WHERE t.alert_id IS NULL AND t.sent_at IS NULL RETURNING t.story_id
