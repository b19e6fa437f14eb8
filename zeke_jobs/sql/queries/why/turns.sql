-- For a job of a task with fair shares, count the jobs that come first: jobs of the same key and jobs of other keys, at most "most" of each.
SELECT t.own, t.others FROM zeke_jobs.turns_before(%(id)s::uuid, %(most)s) AS t
