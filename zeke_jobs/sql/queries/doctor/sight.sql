-- Return whether this user may see the sessions of other users.
SELECT current_user AS role, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all
