-- Remove a schedule from pg-boss. Schedules have no keys in pg-boss before version 11.
DELETE FROM schedule AS s WHERE s.name = %(name)s AND coalesce(to_jsonb(s) ->> 'key', '') = %(key)s
