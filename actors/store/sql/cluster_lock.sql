-- One at a time: two workers that join overlapping clusters would lock each other's stories. Released at commit.
SELECT name FROM public.pipeline_locks WHERE name = 'clusters' FOR UPDATE
