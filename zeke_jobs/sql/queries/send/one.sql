-- Send one job. The task must still have the revision that the payload was checked against.
SELECT zeke_jobs.enqueue(%(task)s, %(revision)s, %(payload)s, %(options)s, %(id)s) AS answer
