-- Whether this user sees what the sessions of others do.
SELECT current_user AS role, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all
