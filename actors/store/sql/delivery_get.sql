-- Whether a receiver has the digest of a period.
SELECT d.delivered_at
FROM public.digest_deliveries AS d
WHERE d.period = %(period)s AND d.ends_on = %(ends_on)s AND d.team_id = %(team_id)s::uuid AND d.receiver = %(receiver)s
