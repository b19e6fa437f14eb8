-- Return the schedules of pg-boss.
SELECT to_jsonb(s)::text AS schedule FROM schedule AS s ORDER BY s.name, to_jsonb(s) ->> 'key'
