-- For a job of a task with fair shares, count the jobs that are claimed before it: jobs of the same key, and jobs of other keys. Each number is at most the parameter most.
SELECT t.own, t.others FROM zeke_jobs.turns_before(%(id)s::uuid, %(most)s) AS t
