-- What a removed alert has not sent yet goes to another alert that it fits, or else away.
WITH waiting AS (
  SELECT
    t.story_id, t.receiver,
    (
      SELECT min(a.id)
      FROM public.alert_fits(t.story_id) AS f
      JOIN public.alerts AS a ON a.id = f.alert_id
      WHERE t.receiver = ANY (a.receivers) AND f.is_new AND f.is_fresh AND f.is_hot AND f.has_words AND f.has_source
    ) AS other
  FROM public.alert_stories AS t
  WHERE t.alert_id IS NULL AND t.sent_at IS NULL
),
taken AS (
  UPDATE public.alert_stories AS t SET alert_id = w.other
  FROM waiting AS w
  WHERE t.story_id = w.story_id AND t.receiver = w.receiver AND w.other IS NOT NULL
)
DELETE FROM public.alert_stories AS t
USING waiting AS w
WHERE t.story_id = w.story_id AND t.receiver = w.receiver AND w.other IS NULL
