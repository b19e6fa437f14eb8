-- The faults in a send's units, in words.
SELECT zeke_jobs.unfit_units(CAST(%(task)s AS text), CAST(%(units)s AS jsonb)) AS unfit
