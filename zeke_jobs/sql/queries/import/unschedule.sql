-- Remove a schedule from pg-boss. Before pg-boss 11, schedules have no keys.
DELETE FROM schedule AS s WHERE s.name = %(name)s AND coalesce(to_jsonb(s) ->> 'key', '') = %(key)s
