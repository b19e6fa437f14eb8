-- Set this transaction's search path to a schema of pg-boss, with temporary tables last. Return no row if the schema has no jobs of pg-boss 10 to 12.
SELECT set_config('search_path', quote_ident(%(schema)s) || ', pg_temp', true) AS path
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.oid = to_regclass(format('%%I.job', %(schema)s::text)) AND c.relkind IN ('r', 'p') AND NOT a.attisdropped AND a.attname IN (
  'id', 'name', 'priority', 'data', 'state', 'retry_count', 'start_after', 'started_on', 'created_on', 'completed_on', 'singleton_key', 'output')
HAVING count(*) = 12
