-- Delete found stories that a receiver must no longer get, because their event was merged with an event that the receiver has got or will get.
DELETE FROM public.alert_stories AS t
USING public.stories AS s, public.alert_stories AS other, public.stories AS o
WHERE t.receiver = %(receiver)s AND t.sent_at IS NULL AND NOT t.is_offered AND s.id = t.story_id
  AND other.receiver = t.receiver AND other.story_id = o.id AND o.cluster_id = s.cluster_id AND o.id <> s.id
  AND (other.sent_at IS NOT NULL OR (other.created_at, other.story_id) < (t.created_at, t.story_id))
