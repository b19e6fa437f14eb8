-- Lock the keys and bands of a text until the transaction ends, so that similar texts are filed one after another; all transactions lock in the
-- same order. A text needs about 50 locks, of the 64 for each connection that a server keeps room for by default.
SELECT count(pg_advisory_xact_lock(mine.lock)) AS held
FROM (
  SELECT hashtextextended(k.key, 0) AS lock FROM unnest(%(keys)s::text[]) AS k (key)
  UNION
  SELECT b.band FROM unnest(%(bands)s::bigint[]) AS b (band)
  ORDER BY lock
) AS mine
