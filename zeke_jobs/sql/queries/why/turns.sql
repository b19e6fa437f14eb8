-- How many due jobs (up to a number) go first while the keys of the job's task take turns: of its own key, and of others.
SELECT t.own, t.others FROM zeke_jobs.turns_before(%(id)s::uuid, %(most)s) AS t
