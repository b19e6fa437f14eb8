-- Let the later statements of this transaction find the tables of pg-boss 10 to 12 by their names alone, and no temporary table in their place. No
-- row if the schema has no such tables; views with their names do not count.
SELECT set_config('search_path', quote_ident(%(schema)s) || ', pg_temp', true) AS path
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.oid = to_regclass(format('%%I.job', %(schema)s::text)) AND c.relkind IN ('r', 'p') AND NOT a.attisdropped AND a.attname IN (
  'id', 'name', 'priority', 'data', 'state', 'retry_count', 'start_after', 'started_on', 'created_on', 'completed_on', 'singleton_key', 'output')
HAVING count(*) = 12
