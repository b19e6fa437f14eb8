-- What a gate has room for, as a claim counts it: share is what this worker may claim of it, room the whole of it, used what it has claimed.

CREATE TYPE zeke_jobs.room AS (gate text, share integer, room integer, is_rate boolean, used integer);
