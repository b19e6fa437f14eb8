-- The latest digest that ends on a day or before.
SELECT d.id, d.period, d.ends_on, d.team_id, d.entries, d.updated_at
FROM public.digests AS d
WHERE d.period = %(period)s
  AND d.team_id IS NOT DISTINCT FROM %(team_id)s::uuid
  AND (%(ends_on)s::date IS NULL OR d.ends_on <= %(ends_on)s::date)
ORDER BY d.ends_on DESC
LIMIT 1
