-- Note the best story of an event for each receiver whose alert fits it, unless the receiver has one of this event; returns the receivers.
WITH event AS MATERIALIZED (
  SELECT m.id
  FROM public.stories AS m
  WHERE m.id = %(story_id)s::uuid
    OR m.cluster_id = (SELECT s.cluster_id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid)
),
fits AS (
  SELECT DISTINCT ON (r.receiver) r.receiver, event.id AS story_id, a.id AS alert_id
  FROM event
  CROSS JOIN LATERAL public.alert_fits(event.id) AS f
  JOIN public.alerts AS a ON a.id = f.alert_id
  CROSS JOIN LATERAL unnest(a.receivers) AS r (receiver)
  WHERE f.is_new AND f.is_fresh AND f.is_hot AND f.has_words AND f.has_source
    AND NOT EXISTS (
      SELECT FROM public.alert_stories AS t WHERE t.receiver = r.receiver AND t.story_id IN (SELECT e.id FROM event AS e))
  ORDER BY r.receiver, f.chili DESC NULLS LAST, a.id, event.id
)
INSERT INTO public.alert_stories (receiver, story_id, alert_id)
SELECT fits.receiver, fits.story_id, fits.alert_id FROM fits ORDER BY fits.alert_id, fits.receiver
ON CONFLICT DO NOTHING
RETURNING receiver
