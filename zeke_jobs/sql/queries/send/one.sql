-- Send one job, if the task still has the revision with which the payload was checked.
SELECT zeke_jobs.enqueue(%(task)s, %(revision)s, %(payload)s, %(options)s, %(id)s) AS answer
