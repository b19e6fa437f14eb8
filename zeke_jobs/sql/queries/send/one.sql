-- Send one job. The task must still have the revision against which the payload was checked.
SELECT zeke_jobs.enqueue(%(task)s, %(revision)s, %(payload)s, %(options)s, %(id)s) AS answer
