-- Record the result of an attempt to deliver a digest; a delivered digest stays delivered.
INSERT INTO public.digest_deliveries AS d (period, ends_on, team_id, receiver, delivered_at, detail)
VALUES (
  %(period)s, %(ends_on)s, %(team_id)s::uuid, %(receiver)s, CASE WHEN %(detail)s::text IS NULL THEN zeke_jobs.now() END, %(detail)s)
ON CONFLICT (period, ends_on, team_id, receiver) DO UPDATE
SET
  delivered_at = EXCLUDED.delivered_at,
  attempts = d.attempts + 1,
  detail = EXCLUDED.detail,
  updated_at = zeke_jobs.now()
WHERE d.delivered_at IS NULL
