-- For a queued job of a task with fair shares, count the jobs that will be claimed before it: jobs with its key, and jobs with other keys, each up to a maximum.
SELECT t.own, t.others FROM zeke_jobs.turns_before(%(id)s::uuid, %(most)s) AS t
