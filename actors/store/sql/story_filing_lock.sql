-- One story is filed at a time in a database, for the few milliseconds between looking for its like and adding it.
SELECT name FROM public.pipeline_locks WHERE name = 'filing' FOR UPDATE
