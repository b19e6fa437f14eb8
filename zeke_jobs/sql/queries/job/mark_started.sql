-- Record that handlers have started.
SELECT zeke_jobs.mark_started(%(worker)s::uuid, %(ids)s::uuid[], %(claims)s::bigint[], %(after)s::double precision[])
