-- For a job of a task with fair shares, count the jobs of the same key and the jobs of other keys that come first, at most "most" of each.
SELECT t.own, t.others FROM zeke_jobs.turns_before(%(id)s::uuid, %(most)s) AS t
