-- Lock the keys and bands of a text until the transaction ends, so that similar texts are filed one after another; all transactions lock in the
-- same order. A text needs about 50 locks; by default, a server has room for 64 locks for each connection.
SELECT count(pg_advisory_xact_lock(mine.lock)) AS held
FROM (
  SELECT hashtextextended(k.key, 0) AS lock FROM unnest(%(keys)s::text[]) AS k (key)
  UNION
  SELECT b.band FROM unnest(%(bands)s::bigint[]) AS b (band)
  ORDER BY lock
) AS mine
