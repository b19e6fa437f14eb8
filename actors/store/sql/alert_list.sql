-- All alerts, with the number of stories that they sent and that wait.
SELECT
  a.name, a.query, trim_scale(a.min_chili) AS chili, array_to_string(a.receivers, ', ') AS to, a.created_at,
  (SELECT count(*) FROM public.alert_stories AS t WHERE t.alert_id = a.id AND t.sent_at IS NOT NULL) AS sent,
  (SELECT count(*) FROM public.alert_stories AS t WHERE t.alert_id = a.id AND t.sent_at IS NULL) AS waiting
FROM public.alerts AS a
ORDER BY a.id
