-- Cancel queued jobs whose task is no longer in jobs.yaml.
SELECT task, jobs FROM zeke_jobs.cancel_removed()
