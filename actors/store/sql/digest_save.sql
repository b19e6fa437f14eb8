-- Store a digest; returns no row if the stored digest has the same entries.
INSERT INTO public.digests AS d (period, ends_on, team_id, entries)
VALUES (%(period)s, %(ends_on)s, %(team_id)s::uuid, %(entries)s)
ON CONFLICT (period, ends_on, coalesce(team_id, '00000000-0000-0000-0000-000000000000')) DO UPDATE
SET entries = EXCLUDED.entries, updated_at = zeke_jobs.now()
WHERE d.entries <> EXCLUDED.entries
RETURNING d.id
