-- Cancel queued jobs whose task left jobs.yaml before their send was committed.
SELECT task, jobs FROM zeke_jobs.cancel_removed()
