-- What is wrong with the units of a send, in words.
SELECT zeke_jobs.unfit_units(CAST(%(task)s AS text), CAST(%(units)s AS jsonb)) AS unfit
