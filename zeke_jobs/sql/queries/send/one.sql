-- Send one job. The job is sent only if the task still has the revision against which the payload was checked.
SELECT zeke_jobs.enqueue(%(task)s, %(revision)s, %(payload)s, %(options)s, %(id)s) AS answer
