-- How this database stores embeddings: vector where pgvector is, else _float4 (real[]).
SELECT t.typname AS kind
FROM pg_attribute AS a
JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = 'public.story_embeddings'::regclass AND a.attname = 'embedding'
