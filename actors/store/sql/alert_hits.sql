-- Note the hottest story of an event for each receiver whose alert it fits, unless the receiver has one of this event; returns the receivers.
WITH event AS MATERIALIZED (
  SELECT m.id
  FROM public.stories AS m
  WHERE m.id = %(story_id)s::uuid
    OR m.cluster_id = (SELECT s.cluster_id FROM public.stories AS s WHERE s.id = %(story_id)s::uuid)
),
wanted AS MATERIALIZED (
  SELECT a.id AS alert_id, r.receiver
  FROM public.alerts AS a
  CROSS JOIN LATERAL unnest(a.receivers) AS r (receiver)
  WHERE NOT EXISTS (
    SELECT FROM public.alert_stories AS t WHERE t.receiver = r.receiver AND t.story_id IN (SELECT e.id FROM event AS e))
),
fits AS (
  SELECT DISTINCT ON (w.receiver) w.receiver, event.id AS story_id, w.alert_id
  FROM event
  CROSS JOIN LATERAL public.alert_fits(event.id) AS f
  JOIN wanted AS w ON w.alert_id = f.alert_id
  WHERE EXISTS (SELECT FROM wanted)
    AND f.is_new AND f.is_fresh AND f.is_hot AND f.has_words AND f.has_source
  ORDER BY w.receiver, f.chili DESC NULLS LAST, w.alert_id, event.id
)
INSERT INTO public.alert_stories (receiver, story_id, alert_id)
SELECT fits.receiver, fits.story_id, fits.alert_id FROM fits ORDER BY fits.alert_id, fits.receiver
ON CONFLICT DO NOTHING
RETURNING receiver
