-- The current time, and the times of the receiver's messages in the last hour, the earliest first.
SELECT
  zeke_jobs.now() AS now,
  ARRAY(
    SELECT DISTINCT t.sent_at
    FROM public.alert_stories AS t
    WHERE t.receiver = %(receiver)s AND t.sent_at > zeke_jobs.now() - interval '1 hour'
    ORDER BY t.sent_at
  ) AS sent
