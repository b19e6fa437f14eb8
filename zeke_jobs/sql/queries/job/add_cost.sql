-- Add to a job's cost; only its holder may do so. Returns the currency, which is that of the first amount. Budgets in this currency count the
-- cost; missed: the currency of a budget that does not.
WITH said AS (
  UPDATE zeke_jobs.queue AS q
  SET
    cost = CASE WHEN q.currency IS DISTINCT FROM %(currency)s AND q.currency IS NOT NULL THEN q.cost
      ELSE coalesce(q.cost, 0) + %(amount)s::numeric END,
    currency = coalesce(q.currency, %(currency)s)
  WHERE q.message_id = %(id)s::uuid AND q.claim = %(claim)s AND q.worker = %(worker)s::uuid
  RETURNING q.currency
)
SELECT s.currency,
  CASE WHEN s.currency = %(currency)s THEN zeke_jobs.report(
    %(id)s::uuid, %(claim)s, jsonb_build_object(%(currency)s::text, %(amount)s::numeric)) END AS reported,
  (SELECT min(u.unit) FROM zeke_jobs.meter_use AS u
   WHERE u.job = %(id)s::uuid AND u.claim = %(claim)s AND u.lasts IS NULL AND u.unit <> %(currency)s) AS missed
FROM said AS s
